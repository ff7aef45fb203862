"""Reading the history database without waiting for it longer than a page may take."""

from collections.abc import Callable
from typing import TypeVar

from django.db import DatabaseError, InterfaceError, OperationalError, connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.connection import ConnectionDoesNotExist

from history.conf import conf
from history.database.deadline import bounded
from history.exceptions import HistoryUnavailable
from history.models import StudentModuleHistory
from kvstore.versioning.transactions import is_lock_timeout

READ_TIMEOUT_FACTOR = 2
"""how many times longer than a write a page may take"""

T = TypeVar("T")


def read_history(read: Callable[[], T]) -> T:
    """Return what ``read`` reads of the history database; it may be called twice, so it only reads.

    ``read`` evaluates its query sets itself: ``in_time(lambda: list(entries))``. Raises HistoryUnavailable where the
    database is missing, not migrated, refuses, or does not answer in time.
    """
    # A replica may lag behind the rows that decide which entries were committed.
    alias = router.db_for_write(StudentModuleHistory)
    try:
        connection = connections[alias]
        kept = connection.connection is not None
        try:
            return _bounded(read, connection)
        except (OperationalError, InterfaceError) as error:
            if connection.in_atomic_block or is_lock_timeout(error):
                raise
            # A connection that was kept may have died long ago; a new one tells whether the server did.
            connection.close()
            if not kept:
                raise
            return _bounded(read, connection)
    except (DatabaseError, InterfaceError, ConnectionDoesNotExist) as error:
        raise HistoryUnavailable(f"The history database {alias!r} cannot be read: {error}.") from error


def _bounded(read: Callable[[], T], connection: BaseDatabaseWrapper) -> T:
    with bounded(connection, conf.HISTORY_TIMEOUT, timeout_factor=READ_TIMEOUT_FACTOR):
        return read()
