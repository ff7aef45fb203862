# ruff: noqa: S608  names of tables and columns only, all from this file
"""The statements of the raw contender on each database, in the tables of the store."""

from collections.abc import Sequence
from typing import Any

Statement = tuple[str, Sequence[Any]]

MODULES = "xblock_kvstore_studentmodule"
ENTRIES = "xblock_history_studentmodulehistory"
PENDING = "xblock_history_pendinghistory"
READ = "id, module_state_key, state, grade, max_grade, version, modified, digest"
WRITTEN = ("state", "grade", "max_grade", "version", "modified", "digest")
NOT_NULL = ("student_id", "course_id", "module_state_key", "module_type", "done", "created")
IDENTIFYING = ("student_module_id", "version", "digest")
ENTRY = (
    "student_module_id",
    "version",
    "action",
    "student_id",
    "course_id",
    "module_state_key",
    "module_type",
    "state",
    "grade",
    "max_grade",
    "created",
    "reason",
    "request_id",
    "transaction_id",
    "previous",
    "digest",
)


class Sql:
    """Statements in the dialect of one database, with the parameter placeholders of its driver."""

    def __init__(self, vendor: str) -> None:
        self.vendor = vendor
        self.placeholder = "?" if vendor == "sqlite" else "%s"
        # SQLite has one writer at a time, and it holds the lock already.
        self.for_update = "" if vendor == "sqlite" else " FOR UPDATE"
        self.lock_one = self.marked(
            f"SELECT {READ} FROM {MODULES} WHERE student_id = %s AND module_state_key = %s AND course_id = %s"
            f"{self.for_update}"
        )
        self.update_one = self.marked(
            f"UPDATE {MODULES} SET state = %s, grade = %s, max_grade = %s, version = %s, modified = %s, "
            "digest = %s WHERE id = %s"
        )

        block = "student_id = %s AND module_state_key = %s AND course_id = %s"
        version = "state, created, version, previous, digest"
        self.current = self.marked(f"SELECT id, version, digest FROM {MODULES} WHERE {block}")
        self.pending = self.marked(f"SELECT {version} FROM {PENDING} WHERE {block} ORDER BY version DESC")
        self.delivered = self.marked(
            f"SELECT {version} FROM {ENTRIES} WHERE student_module_id = %s AND {block} ORDER BY version DESC"
        )
        # MySQL would otherwise begin with the learners and look up the rows of each all over the table.
        in_this_order = "STRAIGHT_JOIN " if vendor == "mysql" else ""
        self.walk = self.marked(
            f"SELECT {in_this_order}u.username, m.module_state_key, m.state, m.modified FROM {MODULES} m "
            "JOIN auth_user u ON u.id = m.student_id WHERE m.course_id = %s AND m.state IS NOT NULL"
        )

    def marked(self, statement: str) -> str:
        """Return a statement with the placeholders of the driver."""
        return statement.replace("%s", self.placeholder)

    def binary(self, value: bytes | None) -> bytes | bytearray | None:
        """Return bytes as the driver sends them: MySQL's driver sends ``bytes`` as text."""
        return bytearray(value) if value is not None and self.vendor == "mysql" else value

    def lock_many(self, learner_id: int, course_id: str, keys: Sequence[str]) -> Statement:
        """Return the statement that locks a learner's blocks in the order of their ids."""
        return self.read_many(READ, learner_id, course_id, keys, f" ORDER BY id{self.for_update}")

    def read_many(self, columns: str, learner_id: int, course_id: str, keys: Sequence[str], end: str = "") -> Statement:
        """Return the statement that reads these columns of a learner's blocks."""
        start = f"SELECT {columns} FROM {MODULES} WHERE student_id = %s AND course_id = %s AND module_state_key"
        if self.vendor == "postgresql":
            return f"{start} = ANY(%s){end}", (learner_id, course_id, list(keys))
        placeholders = ", ".join(["%s"] * len(keys))
        return self.marked(f"{start} IN ({placeholders}){end}"), (learner_id, course_id, *keys)

    def update_many(self, learner_id: int, course_id: str, rows: Sequence[Sequence[Any]]) -> Statement:
        """Return the statement that writes the next versions of locked rows."""
        if self.vendor == "postgresql":
            ids, _, states, grades, max_grades, versions, modified, digests = map(list, zip(*rows, strict=True))
            return (
                f"UPDATE {MODULES} m SET state = v.state, grade = v.grade, max_grade = v.max_grade, "
                "version = v.version, modified = v.modified, digest = v.digest FROM unnest(%s::bigint[], %s::text[], "
                "%s::float8[], %s::float8[], %s::bigint[], %s::timestamptz[], %s::bytea[]) "
                "AS v (id, state, grade, max_grade, version, modified, digest) WHERE m.id = v.id",
                (ids, states, grades, max_grades, versions, modified, digests),
            )
        columns = ("id", *WRITTEN, *NOT_NULL)
        values = [
            (*(row_id, *others, at, self.binary(digest)), *(learner_id, course_id, key, "problem", "na", at))
            for row_id, key, *others, at, digest in rows
        ]
        return self.upsert(MODULES, columns, values, conflict=("id",), update=WRITTEN)

    def append(self, entries: Sequence[Sequence[Any]]) -> Statement:
        """Return the statement that inserts entries into the history, without effect on entries stored already.

        MySQL raises an error for an entry that is stored already. No contender of the benchmark inserts one twice.
        """
        statement, parameters = self.insert(ENTRIES, ENTRY, entries)
        if self.vendor != "mysql":
            statement += f" ON CONFLICT ({', '.join(IDENTIFYING)}) DO NOTHING"
        return self.marked(statement), parameters

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Statement:
        """Return one INSERT of all rows, not marked for the driver yet."""
        one = f"({', '.join(['%s'] * len(columns))})"
        statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([one] * len(rows))}"
        return statement, [value for row in rows for value in row]

    def upsert(
        self,
        table: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[Any]],
        *,
        conflict: Sequence[str],
        update: Sequence[str],
    ) -> Statement:
        """Return one INSERT of all rows that updates existing rows."""
        insert, parameters = self.insert(table, columns, rows)
        if self.vendor == "mysql":
            changes = ", ".join(f"{name} = VALUES({name})" for name in update)
            statement = f"{insert} ON DUPLICATE KEY UPDATE {changes}"
        else:
            changes = ", ".join(f"{name} = EXCLUDED.{name}" for name in update)
            statement = f"{insert} ON CONFLICT ({', '.join(conflict)}) DO UPDATE SET {changes}"
        return self.marked(statement), parameters
