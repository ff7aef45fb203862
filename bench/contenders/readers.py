"""The reads of each contender: the raw statements, and the queries of the peers through the ORM."""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from opaque_keys.edx.keys import UsageKey

from bench.contenders.raw import Raw
from bench.databases import driver_connection

Version = tuple[dict[str, Any], datetime]
"""The fields of one version, and when it was written."""

WALK_SIZE = 2000
"""rows that the server hands over at once"""


def raw_states(raw: Raw, keys: list[str]) -> dict[str, dict[str, Any]]:
    """Return the states of a learner's blocks: one SELECT, and one json.loads for each."""
    cursor = raw.begin()
    cursor.execute(*raw.sql.read_many("module_state_key, state, modified", raw.learner_id, raw.course, keys))
    states = {key: json.loads(state) for key, state, _ in cursor.fetchall()}
    raw.commit(cursor)
    return states


def raw_versions(raw: Raw, key: UsageKey) -> list[Version]:
    """Return the committed versions of a block, newest first: pending entries and delivered ones.

    Follows the digests from the row. Leaves out earlier rows of the same learner and block, deleted since, which the
    store looks for as well.
    """
    owner = (raw.learner_id, str(key), raw.course)
    cursor = raw.begin()
    cursor.execute(raw.sql.current, owner)
    row_id, version, digest = cursor.fetchone()
    cursor.execute(raw.sql.pending, owner)
    pending = cursor.fetchall()
    raw.commit(cursor)
    cursor = raw.history.cursor()
    cursor.execute(raw.sql.delivered, (row_id, *owner))
    return list(led_to((version, digest), [*pending, *cursor.fetchall()]))


def led_to(current: tuple[int, bytes], entries: Iterable[Sequence[Any]]) -> Iterator[Version]:
    """Yield the versions in the digest chain of the row, from entries in order from the newest."""
    expected = current
    for state, created, version, previous, digest in entries:
        if (version, digest) == expected:
            expected = version - 1, previous
            yield json.loads(state), created


def orm_versions(entries: Any, created: str) -> list[Version]:
    """Return the versions in a query set of a peer's historical rows, as instances, newest first."""
    return [(json.loads(entry.state), getattr(entry, created)) for entry in entries]


def raw_walk(vendor: str, statement: str, course: str) -> Iterator[tuple[str, str, dict[str, Any], datetime]]:
    """Yield learner, block, fields and time of every state of a course, by a cursor that the server keeps."""
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
