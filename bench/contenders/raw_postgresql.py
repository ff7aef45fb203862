# ruff: noqa: S608  names of tables and columns only
"""The raw contender's statements on PostgreSQL, for psycopg2 and psycopg 3.

A batch is one JSON text, which the server reads as a record set: one parameter for any number of rows and columns.
VALUES take less time for one row, and with psycopg2 for up to a few hundred long states, because psycopg2 escapes JSON
inside JSON character by character. psycopg 3 binds parameters on the server. The statements are not prepared: Django's
connections do not prepare statements, so that a pooler between client and server works.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from django.db import DEFAULT_DB_ALIAS

from bench.contenders.raw_sql import ENTRIES, ENTRY, MODULES, NOT_STORED, entry_rows, locked
from bench.contenders.raw_version import Batch, Locked
from bench.databases import driver_connection
from bench.drivers import driver
from bench.settings import HISTORY

LOCK = locked("encode(digest, 'hex')")
LOCK_ONE = f"{LOCK} WHERE student_id = %s AND course_id = %s AND module_state_key = %s FOR UPDATE"
# Keys have no line breaks.
KEYS = "student_id = %s AND course_id = %s AND module_state_key = ANY(string_to_array(%s, E'\\n'))"
LOCK_MANY = f"{LOCK} WHERE {KEYS} ORDER BY id FOR UPDATE"
READ = f"SELECT module_state_key, state, modified FROM {MODULES} WHERE {KEYS}"

UPDATE_ONE = f"UPDATE {MODULES} SET state = %s, version = %s, modified = %s, digest = decode(%s, 'hex') WHERE id = %s"
UPDATE_MANY = (
    f"UPDATE {MODULES} m SET state = v.s, version = v.v, modified = %s, digest = decode(v.d, 'hex') "
    "FROM json_to_recordset(%s::json) AS v (i bigint, v bigint, s text, d text) WHERE m.id = v.i"
)
INSERT_ONE = (
    f"INSERT INTO {ENTRIES} ({ENTRY}) VALUES (%s, %s, 'changed', %s, %s, %s, 'problem', %s, %s, %s, %s, '', '', %s, "
    f"decode(%s, 'hex'), decode(%s, 'hex')) {NOT_STORED}"
)
INSERT_MANY = (
    f"INSERT INTO {ENTRIES} ({ENTRY}) SELECT v.i, v.v, 'changed', %s, %s, v.k, 'problem', v.s, v.g, v.m, %s, '', '', "
    "%s, decode(v.p, 'hex'), decode(v.d, 'hex') FROM json_to_recordset(%s::json) "
    f"AS v (i bigint, v bigint, k text, s text, g float8, m float8, p text, d text) {NOT_STORED}"
)


UPDATE_VALUES = (
    f"UPDATE {MODULES} m SET state = v.s, version = v.v, modified = %s, digest = v.d FROM (VALUES {{}}) "
    "AS v (i, v, s, d) WHERE m.id = v.i"
)
INSERT_VALUES = f"INSERT INTO {ENTRIES} ({ENTRY}) VALUES {{}} {NOT_STORED}"

LONG_STATE = 1000
"""characters"""
MOST_VALUES = 200
"""rows"""


class PostgreSQL:
    """Three connections of the driver: one with transactions, two in autocommit."""

    def __init__(self) -> None:
        self.connection, self.cursor = connected(DEFAULT_DB_ALIAS, autocommit=False)
        self.reading = connected(DEFAULT_DB_ALIAS, autocommit=True)[1]
        self.history = connected(HISTORY, autocommit=True)[1]

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
        if len(keys) == 1:
            self.cursor.execute(LOCK_ONE, (learner_id, course_id, *keys))
        else:
            self.cursor.execute(LOCK_MANY, (learner_id, course_id, "\n".join(keys)))
        return self.cursor.fetchall()

    def last_modified(self, rows: Sequence[Locked]) -> datetime:
        return max([row[6] for row in rows])

    def write(self, batch: Batch) -> None:
        if len(batch.versions) == 1:
            self.write_one(batch)
        elif driver() == "psycopg2" and len(batch.versions) <= MOST_VALUES and len(batch.versions[0][3]) > LONG_STATE:
            self.write_values(batch)
        else:
            self.write_many(batch)

    def write_one(self, batch: Batch) -> None:
        row_id, version, key, state, _, grade, max_grade, previous, digest = batch.versions[0]
        self.cursor.execute(UPDATE_ONE, (state, version, batch.now, digest, row_id))
        block = (batch.learner_id, batch.course_id, key)
        values = (row_id, version, *block, state, grade, max_grade, batch.now, batch.transaction_id, previous, digest)
        self.history.execute(INSERT_ONE, values)

    def write_many(self, batch: Batch) -> None:
        records = batch.records()
        self.cursor.execute(UPDATE_MANY, (batch.now, records))
        shared = (batch.learner_id, batch.course_id, batch.now, batch.transaction_id)
        self.history.execute(INSERT_MANY, (*shared, records))

    def write_values(self, batch: Batch) -> None:
        states = [version[3] for version in batch.versions]
        rows = [
            f"({row_id}::bigint,{version}::bigint,%s,{binary(digest)}::bytea)"
            for row_id, version, _, _, _, _, _, _, digest in batch.versions
        ]
        self.cursor.execute(UPDATE_VALUES.format(",".join(rows)), (batch.now, *states))
        entries = entry_rows(batch, f"'{batch.now}'", binary)
        self.history.execute(INSERT_VALUES.format(entries), states)

    def read(self, learner_id: int, course_id: str, keys: Sequence[str]) -> Sequence[tuple[str, str, Any]]:
        self.reading.execute(READ, (learner_id, course_id, "\n".join(keys)))
        return self.reading.fetchall()


def binary(digest: str) -> str:
    """Return a hexadecimal digest as an SQL literal."""
    return f"'\\x{digest}'"


def connected(alias: str, *, autocommit: bool) -> tuple[Any, Any]:
    """Return a connection and a cursor of the driver's own class."""
    connection = driver_connection(alias)
    connection.autocommit = autocommit
    if driver() == "psycopg2":
        return connection, connection.cursor()
    from psycopg import Cursor

    return connection, Cursor(connection)
