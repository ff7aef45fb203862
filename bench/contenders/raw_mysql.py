# ruff: noqa: S608  names of tables and columns only
"""The raw contender's statements on MariaDB and MySQL. They use VALUES; JSON_TABLE takes up to 1.5 times as long."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import DEFAULT_DB_ALIAS

from bench.contenders.raw_sql import ENTRIES, ENTRY, MODULES, entry_rows, locked
from bench.contenders.raw_version import Batch, Locked
from bench.databases import driver_connection
from bench.settings import HISTORY

KEYS = "student_id = %s AND course_id = %s AND module_state_key IN"
LOCK = f"{locked('LOWER(HEX(digest))')} WHERE {KEYS}"
READ = f"SELECT module_state_key, state, modified FROM {MODULES} WHERE {KEYS}"
UPDATE_ONE = f"UPDATE {MODULES} SET state = %s, version = %s, modified = %s, digest = UNHEX(%s) WHERE id = %s"
UPSERT = (
    f"INSERT INTO {MODULES} (id, student_id, course_id, module_state_key, module_type, done, created, state, version, "
    "modified, digest) VALUES "
)
ON_DUPLICATE = (
    " ON DUPLICATE KEY UPDATE state = VALUES(state), version = VALUES(version), modified = VALUES(modified), "
    "digest = VALUES(digest)"
)
INSERT = f"INSERT INTO {ENTRIES} ({ENTRY}) VALUES "


class MySQL:
    """Three connections of the driver: one with transactions, two in autocommit."""

    def __init__(self) -> None:
        self.connection = driver_connection(DEFAULT_DB_ALIAS)
        self.connection.autocommit(False)
        self.cursor = self.connection.cursor()
        self.reading = driver_connection(DEFAULT_DB_ALIAS).cursor()
        self.history = driver_connection(HISTORY).cursor()

    @staticmethod
    def with_placeholders(statement: str) -> str:
        """Return a statement with the placeholders of the driver."""
        return statement

    def begin(self) -> Any:
        """Return the cursor of the transaction, which begins with its first statement."""
        return self.cursor

    def commit(self) -> None:
        self.connection.commit()

    def lock(self, learner_id: int, course_id: str, keys: Collection[str]) -> Sequence[Locked]:
        self.cursor.execute(f"{LOCK} ({placeholders(keys)}) ORDER BY id FOR UPDATE", (learner_id, course_id, *keys))
        return self.cursor.fetchall()

    def last_modified(self, rows: Sequence[Locked]) -> datetime:
        return max([row[6] for row in rows]).replace(tzinfo=UTC)

    def write(self, batch: Batch) -> None:
        now = batch.now.replace(tzinfo=None)
        states = [version[3] for version in batch.versions]
        if len(states) == 1:
            row_id, version, *_, digest = batch.versions[0]
            self.cursor.execute(UPDATE_ONE, (*states, version, now, digest, row_id))
        else:
            self.cursor.execute(UPSERT + module_rows(batch, f"'{now}'") + ON_DUPLICATE, states)
        self.history.execute(INSERT + entry_rows(batch, f"'{now}'", binary), states)

    def read(self, learner_id: int, course_id: str, keys: Sequence[str]) -> Sequence[tuple[str, str, Any]]:
        self.reading.execute(f"{READ} ({placeholders(keys)})", (learner_id, course_id, *keys))
        return self.reading.fetchall()


def placeholders(values: Collection[str]) -> str:
    """Return a placeholder for each value."""
    return ", ".join(["%s"] * len(values))


def module_rows(batch: Batch, now: str) -> str:
    """Return the rows of a batch as VALUES; only the states are parameters."""
    identity = f"{batch.learner_id},'{batch.course_id}'"
    return ",".join(
        [
            f"({row_id},{identity},'{key}','problem','na',{now},%s,{version},{now},{binary(digest)})"
            for row_id, version, key, _, _, _, _, _, digest in batch.versions
        ]
    )


def binary(digest: str) -> str:
    """Return a hexadecimal digest as an SQL literal."""
    return f"x'{digest}'"
