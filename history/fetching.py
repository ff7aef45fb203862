"""Reading entries from the history database, in time or not at all."""

from django.db import DatabaseError, InterfaceError, OperationalError, connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.connection import ConnectionDoesNotExist

from history.conf import conf
from history.deadline import bounded
from history.exceptions import HistoryUnavailable
from history.models import StudentModuleHistory

PATIENCE = 2
"""how many times longer than a write a page may take"""

Entries = models.QuerySet[StudentModuleHistory]


def fetched(entries: Entries, count: int) -> list[StudentModuleHistory]:
    """Return the first ``count`` entries, in one query. Raises HistoryUnavailable where they are not had in time."""
    try:
        connection = connections[entries.db]
        kept = connection.connection is not None
        try:
            return _in_time(entries, connection, count)
        except (OperationalError, InterfaceError):
            if connection.in_atomic_block:
                raise
            # A connection that was kept may have died long ago; a new one tells whether the server did.
            connection.close()
            if not kept:
                raise
            return _in_time(entries, connection, count)
    except (DatabaseError, InterfaceError, ConnectionDoesNotExist) as error:
        raise HistoryUnavailable(f"The history database {entries.db!r} cannot be read: {error}.") from error


def _in_time(entries: Entries, connection: BaseDatabaseWrapper, count: int) -> list[StudentModuleHistory]:
    with bounded(connection, conf.HISTORY_TIMEOUT * PATIENCE):
        return list(entries[:count])
