"""Hand-written SQL over the drivers, with the store's guarantees: the minimum cost of these guarantees."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from opaque_keys.edx.keys import UsageKey

from bench import course
from bench.case import RAW
from bench.contenders.raw_mysql import MySQL
from bench.contenders.raw_postgresql import PostgreSQL
from bench.contenders.raw_sqlite import SQLite
from bench.contenders.raw_version import next_versions, parse
from bench.contenders.store import StoreTables
from bench.contenders.writer import Operation
from bench.databases import vendor

DATABASES: dict[str, Any] = {"postgresql": PostgreSQL, "mysql": MySQL, "sqlite": SQLite}


class Raw(StoreTables):
    """Locks the rows, merges in Python, writes the next version with its digest, inserts the entry into the second
    database, and commits. It omits the circuit breaker, the timeout and the pending entries of the store, and does not
    check its arguments."""

    name = RAW

    def fill(self) -> None:
        super().fill()
        self.database = DATABASES[vendor()]()
        self.course = str(course.COURSE)
        self.learner_id = self.learner.pk

    def one(self, key: UsageKey, value: Any) -> Operation:
        return self.many({key: value})

    def many(self, values: Mapping[UsageKey, Any]) -> Operation:
        return partial(self.write, {str(key): value for key, value in values.items()})

    def in_transaction(self, operation: Operation) -> Operation:
        """Return the operation with a savepoint, as the store sets one inside ``atomic()``."""
        return partial(operation, savepoint=True)

    def write(self, values: Mapping[str, Any], *, savepoint: bool = False) -> None:
        """Set the field of every block with three statements for any number of blocks."""
        database = self.database
        cursor = database.begin()
        if savepoint:
            cursor.execute("SAVEPOINT one")
        rows = database.lock(self.learner_id, self.course, values)
        last = database.last_modified(rows)
        database.write(next_versions(self.learner_id, self.course, rows, course.FIELD, values, last))
        if savepoint:
            cursor.execute("RELEASE SAVEPOINT one")
        database.commit()

    def states(self, keys: list[str]) -> dict[str, dict[str, Any]]:
        """Return the states of blocks by key, with one SELECT in autocommit; each state is parsed once."""
        rows = self.database.read(self.learner_id, self.course, keys)
        return {key: parse(state) for key, state, _ in rows}
