"""Calls of the history database with a time limit, and the errors of a history database that fails."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from django.db import DatabaseError, InterfaceError, OperationalError, connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.connection import ConnectionDoesNotExist

from history.conf import conf
from history.database.deadline import bounded
from history.exceptions import HistoryUnavailable
from history.models import StudentModuleHistory
from kvstore.versioning.transactions import is_conflict, is_lock_timeout

READ_TIMEOUT_FACTOR = 2
"""how many times HISTORY_TIMEOUT a page may take"""

CONFLICT_ATTEMPTS = 3

FAILURES = (DatabaseError, InterfaceError, ConnectionDoesNotExist)
"""the errors of a database that is missing, unreachable or not migrated, or that rejects a statement"""

T = TypeVar("T")


def call_in_time(call: Callable[[], T]) -> T:
    """Return the result of ``call``, which uses the connection that entries are written to and may be called again.

    Takes HISTORY_TIMEOUT seconds at most. ``call`` is repeated after a conflict with another transaction, and once on
    a new connection if the server closed an open one. Raises one of FAILURES.
    """
    connection = connections[router.db_for_write(StudentModuleHistory)]
    deadline = time.monotonic() + conf.HISTORY_TIMEOUT
    attempts = 0
    while True:
        attempts += 1
        was_open = connection.connection is not None
        try:
            with bounded(connection, deadline - time.monotonic()):
                return call()
        except (OperationalError, InterfaceError) as error:
            conflict = isinstance(error, OperationalError) and is_conflict(error)
            if connection.in_atomic_block:
                raise
            if not conflict:
                # The server may have closed an open connection long ago. A new one shows whether the server works.
                connection.close()
            if attempts == CONFLICT_ATTEMPTS or time.monotonic() >= deadline or not (was_open or conflict):
                raise


@contextmanager
def history_connection(*, timeout_factor: int = 1) -> Iterator[BaseDatabaseWrapper]:
    """Yield the connection that entries are written to; calls on it fail after HISTORY_TIMEOUT times the factor.

    After a failure the connection is closed, unless it is in a transaction, so that the next call opens a new one.
    Raises one of FAILURES.
    """
    # Not a replica: it may lag behind the rows that decide which entries were committed.
    connection = connections[router.db_for_write(StudentModuleHistory)]
    try:
        with bounded(connection, conf.HISTORY_TIMEOUT, timeout_factor=timeout_factor):
            yield connection
    except FAILURES:
        if not connection.in_atomic_block:
            connection.close()
        raise


def read_history(read: Callable[[], T]) -> T:
    """Return the result of ``read``, which reads the history database and may be called twice.

    ``read`` must evaluate its query sets: ``read_history(lambda: list(entries))``. Raises HistoryUnavailable if the
    database is missing, not migrated, rejects the query, or does not answer in time.
    """
    alias = router.db_for_write(StudentModuleHistory)
    deadline = time.monotonic() + conf.HISTORY_TIMEOUT * READ_TIMEOUT_FACTOR
    try:
        connection = connections[alias]
        was_open = connection.connection is not None
        try:
            return _read_once(read)
        except (OperationalError, InterfaceError) as error:
            # The server may have closed an open connection long ago. A new one shows whether the server works.
            no_retry = not was_open or connection.in_atomic_block or is_lock_timeout(error)
            if no_retry or time.monotonic() >= deadline:
                raise
        return _read_once(read)
    except FAILURES as error:
        raise HistoryUnavailable(f"The history database {alias!r} cannot be read: {error}.") from error


def _read_once(read: Callable[[], T]) -> T:
    with history_connection(timeout_factor=READ_TIMEOUT_FACTOR):
        return read()
