"""SQL written by hand over the drivers, with the store's guarantees: their minimum cost."""

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from django.db import DEFAULT_DB_ALIAS
from opaque_keys.edx.keys import UsageKey

from bench import course
from bench.case import RAW
from bench.contenders.raw_sql import Sql
from bench.contenders.store import StoreTables
from bench.contenders.writer import Operation
from bench.databases import driver_connection, vendor
from bench.settings import HISTORY

TICK = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BLOCK_TYPE = "problem"
ENTRY_FORMAT = 1
ENTRY_TAG = f"student-module-history/{ENTRY_FORMAT}"
encode = json.JSONEncoder(separators=(",", ":")).encode


class Locked(NamedTuple):
    """The columns of a locked row; the digest belongs to its current version."""

    row_id: int
    key: str
    state: str
    grade: float | None
    max_grade: float | None
    version: int
    modified: datetime
    digest: bytes | None


class Written(NamedTuple):
    """The next version of a locked row."""

    row_id: int
    key: str
    state: str
    grade: float | None
    max_grade: float | None
    version: int
    modified: datetime
    digest: bytes
    previous: bytes | None
    transaction_id: int


class Raw(StoreTables):
    """Locks the rows, merges in Python, writes the next version with its digest, and inserts its entry into the second
    database before the first commits. Leaves out the guards against an outage of the second one: circuit breaker,
    timeout and pending entry. Does not check its arguments."""

    name = RAW

    def fill(self) -> None:
        super().fill()
        self.connect()

    def connect(self) -> None:
        """Open the two connections; the one to the history commits every statement by itself."""
        self.vendor = vendor()
        self.sql = Sql(self.vendor)
        self.state, self.history = driver_connection(DEFAULT_DB_ALIAS), driver_connection(HISTORY)
        if self.vendor == "postgresql":
            self.state.autocommit = False
        elif self.vendor == "mysql":
            self.state.autocommit(False)
        self.course = str(course.COURSE)
        self.learner_id = self.learner.pk

    def one(self, key: UsageKey, value: Any) -> Operation:
        return partial(self.set_one, str(key), value)

    def one_in_transaction(self, key: UsageKey, value: Any) -> Operation:
        return partial(self.set_one, str(key), value, savepoint=True)

    def many(self, values: Mapping[UsageKey, Any]) -> Operation:
        return partial(self.set_many, {str(key): value for key, value in values.items()})

    def set_one(self, key: str, value: Any, *, savepoint: bool = False) -> None:
        """Write one block; with ``savepoint`` so that an error leaves the rest of a caller's transaction alive."""
        cursor = self.begin()
        if savepoint:
            cursor.execute("SAVEPOINT one")
        cursor.execute(self.sql.lock_one, (self.learner_id, key, self.course))
        row = self.next_version(cursor.fetchone(), value, course.now(), secrets.randbits(63))
        cursor.execute(self.sql.update_one, (*row[2:7], self.sql.binary(row.digest), row.row_id))
        self.append([row])
        if savepoint:
            cursor.execute("RELEASE SAVEPOINT one")
        self.commit(cursor)

    def set_many(self, values: Mapping[str, Any]) -> None:
        """Write many blocks by three statements of many rows."""
        cursor = self.begin()
        cursor.execute(*self.sql.lock_many(self.learner_id, self.course, list(values)))
        now, transaction_id = course.now(), secrets.randbits(63)
        rows = [self.next_version(row, values[row[1]], now, transaction_id) for row in cursor.fetchall()]
        cursor.execute(*self.sql.update_many(self.learner_id, self.course, [row[:8] for row in rows]))
        self.append(rows)
        self.commit(cursor)

    def begin(self) -> Any:
        """Return a cursor in a transaction; but for SQLite the driver begins it with the first statement."""
        cursor = self.state.cursor()
        if self.vendor == "sqlite":
            cursor.execute("BEGIN IMMEDIATE")
        return cursor

    def commit(self, cursor: Any) -> None:
        """End the transaction."""
        cursor.execute("COMMIT") if self.vendor == "sqlite" else self.state.commit()

    def next_version(self, columns: Sequence[Any], value: Any, now: datetime, transaction_id: int) -> Written:
        """Return the next version of a locked row."""
        row = Locked(*columns)
        fields = json.loads(row.state)
        fields[self.shape.field] = value
        previous = None if row.digest is None else bytes(row.digest)
        modified = max(self.moment(now), row.modified + TICK)
        version = Written(
            *(row.row_id, row.key, course.text(fields), row.grade, row.max_grade, row.version + 1, modified),
            *(b"", previous, transaction_id),
        )
        return version._replace(digest=self.digest_of(version))

    def digest_of(self, row: Written) -> bytes:
        """Return the digest of a version, in the store's format."""
        at = row.modified if self.vendor == "postgresql" else row.modified.replace(tzinfo=UTC)
        values = [
            *(ENTRY_TAG, row.previous and row.previous.hex(), row.row_id, row.version, "changed"),
            *(self.learner_id, self.course, row.key, BLOCK_TYPE, row.state, row.grade, row.max_grade),
            *((at - EPOCH) // TICK, None, "", "", None, None, row.transaction_id),
        ]
        return bytes([ENTRY_FORMAT]) + hashlib.sha256(encode(values).encode("ascii")).digest()

    def moment(self, now: datetime) -> datetime:
        """Return a moment as the driver reads it back."""
        return now if self.vendor == "postgresql" else now.replace(tzinfo=None)

    def append(self, rows: Sequence[Written]) -> None:
        """Insert the entries of these versions into the second database."""
        entries = [
            (
                *(row.row_id, row.version, "changed", self.learner_id, self.course, row.key, BLOCK_TYPE),
                *(row.state, row.grade, row.max_grade, row.modified, "", "", row.transaction_id),
                *(self.sql.binary(row.previous), self.sql.binary(row.digest)),
            )
            for row in rows
        ]
        cursor = self.history.cursor()
        cursor.execute(*self.sql.append(entries))
