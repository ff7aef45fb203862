"""Reads of the contenders: raw statements, and the peers' queries through the ORM."""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from opaque_keys.edx.keys import UsageKey

from bench.contenders.raw import Raw
from bench.contenders.raw_sql import CURRENT, DELIVERED, NOT_DELIVERED
from bench.databases import driver_connection

Version = tuple[dict[str, Any], datetime]
"""The fields and the time of one version."""

WALK_SIZE = 2000
"""rows of one fetch from the server"""


def raw_versions(raw: Raw, key: UsageKey) -> list[Version]:
    """Return the committed versions of a block, newest first: pending entries and delivered ones.

    Follows the digests from the row. Does not look for deleted earlier rows of the same learner and block, as the store
    does.
    """
    block = (raw.learner_id, str(key), raw.course)
    reading, history, with_placeholders = raw.database.reading, raw.database.history, raw.database.with_placeholders
    reading.execute(with_placeholders(CURRENT), block)
    row_id, version, digest = reading.fetchone()
    reading.execute(with_placeholders(NOT_DELIVERED), block)
    pending = reading.fetchall()
    history.execute(with_placeholders(DELIVERED), (row_id, *block))
    return list(committed((version, digest), [*pending, *history.fetchall()]))


def committed(current: tuple[int, bytes], entries: Iterable[Sequence[Any]]) -> Iterator[Version]:
    """Yield the entries in the chain of digests from the row, newest first; ``entries`` must be in this order."""
    expected = current
    for state, created, version, previous, digest in entries:
        if (version, digest) == expected:
            expected = version - 1, previous
            yield json.loads(state), created


def orm_versions(entries: Any, created: str) -> list[Version]:
    """Return the versions in a query set of a peer's historical rows, newest first."""
    return [(json.loads(entry.state), getattr(entry, created)) for entry in entries]


def raw_walk(vendor: str, statement: str, course: str) -> Iterator[tuple[str, str, dict[str, Any], datetime]]:
    """Yield learner, block, fields and time of every state of a course, through a server-side cursor."""
    connection = driver_connection("default")
    if vendor == "postgresql":
        connection.autocommit = False
        cursor = connection.cursor(name="walk")
        cursor.itersize = WALK_SIZE
    elif vendor == "mysql":
        from MySQLdb.cursors import SSCursor

        cursor = connection.cursor(SSCursor)
    else:
        cursor = connection.cursor()
    cursor.execute(statement, (course,))
    for username, key, state, modified in cursor:
        yield username, key, json.loads(state), modified
    cursor.close()
