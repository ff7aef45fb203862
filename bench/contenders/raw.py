"""SQL written by hand over the drivers, with the store's guarantees: the least that those can cost."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

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
BLOCK_TYPE = "problem"
Locked = tuple[int, str, str, float | None, float | None, int, datetime]
"""What is read of a locked row: id, block, state, grade, max_grade, version, modified."""


class Raw(StoreTables):
    """Locks the rows, merges in Python, writes the next version, and puts its entry into the second database before
    the first commits. Leaves out what guards against an outage of the second one: circuit breaker, time-out and the
    waiting entry. Checks nothing that it is given."""

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
        row = self.merged(cursor.fetchone(), value, course.now())
        row_id, _, state, grade, max_grade, version, modified = row
        cursor.execute(self.sql.update_one, (state, grade, max_grade, version, modified, row_id))
        self.append([row])
        if savepoint:
            cursor.execute("RELEASE SAVEPOINT one")
        self.commit(cursor)

    def set_many(self, values: Mapping[str, Any]) -> None:
        """Write many blocks by three statements of many rows."""
        cursor = self.begin()
        cursor.execute(*self.sql.lock_many(self.learner_id, self.course, list(values)))
        now = course.now()
        rows = [self.merged(row, values[row[1]], now) for row in cursor.fetchall()]
        cursor.execute(*self.sql.update_many(self.learner_id, self.course, rows))
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

    def merged(self, row: Locked, value: Any, now: datetime) -> Locked:
        """Return the next version of a locked row."""
        row_id, key, state, grade, max_grade, version, modified = row
        fields = json.loads(state)
        fields[self.shape.field] = value
        written = max(self.moment(now), modified + TICK)
        return row_id, key, course.text(fields), grade, max_grade, version + 1, written

    def moment(self, now: datetime) -> datetime:
        """Return a moment as the driver reads it back."""
        return now if self.vendor == "postgresql" else now.replace(tzinfo=None)

    def append(self, rows: Sequence[Locked]) -> None:
        """Put the entries of these versions into the second database, over entries that never happened."""
        entries = [
            (row_id, version, "changed", self.learner_id, self.course, key, BLOCK_TYPE, state, grade, max_grade, at)
            for row_id, key, state, grade, max_grade, version, at in rows
        ]
        cursor = self.history.cursor()
        cursor.execute(*self.sql.append(entries))
