# ruff: noqa: S608  names of tables and columns only
"""The raw contender's statements on SQLite."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import DEFAULT_DB_ALIAS

from bench.contenders.raw_sql import ENTRIES, ENTRY, MODULES, NOT_STORED, locked
from bench.contenders.raw_version import Batch, Locked
from bench.databases import driver_connection
from bench.settings import HISTORY

KEYS = "student_id = ? AND course_id = ? AND module_state_key IN"
# Django's converter parses a column of this type in Python. An expression has no type, so it is not converted.
MODIFIED = "modified || ''"
LOCK = f"{locked('lower(hex(digest))', MODIFIED)} WHERE {KEYS}"
READ = f"SELECT module_state_key, state, {MODIFIED} FROM {MODULES} WHERE {KEYS}"
UPDATE = f"UPDATE {MODULES} SET state = ?, version = ?, modified = ?, digest = ? WHERE id = ?"
INSERT = f"INSERT INTO {ENTRIES} ({ENTRY}) VALUES "
ONE_ENTRY = "(?, ?, 'changed', ?, ?, ?, 'problem', ?, ?, ?, ?, '', '', ?, ?, ?)"


class SQLite:
    """Two connections of the driver. Transactions begin with BEGIN IMMEDIATE, as in the store."""

    def __init__(self) -> None:
        self.cursor = driver_connection(DEFAULT_DB_ALIAS).cursor()
        self.reading = self.cursor
        self.history = driver_connection(HISTORY).cursor()

    @staticmethod
    def with_placeholders(statement: str) -> str:
        """Return a statement with the placeholders of the driver."""
        return statement.replace("%s", "?")

    def begin(self) -> Any:
        """Return the cursor of the transaction."""
        self.cursor.execute("BEGIN IMMEDIATE")
        return self.cursor

    def commit(self) -> None:
        self.cursor.execute("COMMIT")

    def lock(self, learner_id: int, course_id: str, keys: Collection[str]) -> Sequence[Locked]:
        self.cursor.execute(f"{LOCK} ({placeholders(keys)}) ORDER BY id", (learner_id, course_id, *keys))
        return self.cursor.fetchall()

    def last_modified(self, rows: Sequence[Locked]) -> datetime:
        return datetime.fromisoformat(max([row[6] for row in rows])).replace(tzinfo=UTC)

    def write(self, batch: Batch) -> None:
        now = str(batch.now.replace(tzinfo=None))
        self.cursor.executemany(
            UPDATE,
            [
                (state, version, now, bytes.fromhex(digest), row_id)
                for row_id, version, _, state, *_, digest in batch.versions
            ],
        )
        shared = batch.learner_id, batch.course_id
        values = [
            value
            for row_id, version, key, state, _, grade, max_grade, previous, digest in batch.versions
            for value in (
                *(row_id, version, *shared, key, state, grade, max_grade, now, batch.transaction_id),
                *(previous and bytes.fromhex(previous), bytes.fromhex(digest)),
            )
        ]
        places = ", ".join([ONE_ENTRY] * len(batch.versions))
        self.history.execute(f"{INSERT}{places} {NOT_STORED}", values)

    def read(self, learner_id: int, course_id: str, keys: Sequence[str]) -> Sequence[tuple[str, str, Any]]:
        return self.cursor.execute(f"{READ} ({placeholders(keys)})", (learner_id, course_id, *keys)).fetchall()


def placeholders(values: Collection[str]) -> str:
    """Return a placeholder for each value."""
    return ", ".join(["?"] * len(values))
