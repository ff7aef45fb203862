"""The direct way into the history database: one statement, one deadline, no more than one failure in a while."""

import logging
import time
from collections.abc import Sequence

from django.db import DatabaseError, DataError, IntegrityError, InterfaceError, OperationalError, connections, router
from django.utils.connection import ConnectionDoesNotExist

from history.conf import conf
from history.database.circuit_breaker import breaker
from history.database.deadline import bounded
from history.models import IDENTIFYING_COLUMNS, StudentModuleHistory
from kvstore.signals import StateVersion
from kvstore.versioning.sql import insert_missing
from kvstore.versioning.transactions import is_conflict, is_lock_timeout

logger = logging.getLogger("history")

CONFLICT_ATTEMPTS = 3


def write_entries(entries: Sequence[StateVersion]) -> None:
    """Write entries in one statement; those that are stored already stay as they are. Raises the database's error."""
    using = router.db_for_write(StudentModuleHistory)
    insert_missing(StudentModuleHistory, StateVersion._fields, entries, using, unique_columns=IDENTIFYING_COLUMNS)


def try_entries(entries: Sequence[StateVersion]) -> bool:
    """Write entries if the history database works; return whether it took them.

    Waits HISTORY_TIMEOUT seconds at most, and not at all for a database that failed less than HISTORY_RETRY_AFTER
    seconds ago. Raises nothing that the database raised.
    """
    if not breaker.allows():
        return False
    try:
        _write_in_time(entries)
    except (DataError, IntegrityError) as error:
        # It works, but not with these; the others need not wait for them.
        breaker.record_success()
        logger.error("The history database refused entries: %s", error, extra={"event": "refused"})
        return False
    except (DatabaseError, InterfaceError, ConnectionDoesNotExist) as error:
        # A deadlock is over when it is found. A lock that was held so long may be held for the next write too.
        if isinstance(error, OperationalError) and is_conflict(error) and not is_lock_timeout(error):
            breaker.record_success()
        else:
            breaker.record_failure(error)
        return False
    except BaseException:
        # An interrupted probe must not leave the breaker waiting for its answer.
        breaker.cancel()
        raise
    breaker.record_success()
    return True


def _write_in_time(entries: Sequence[StateVersion]) -> None:
    connection = connections[router.db_for_write(StudentModuleHistory)]
    deadline = time.monotonic() + conf.HISTORY_TIMEOUT
    for attempt in range(1, CONFLICT_ATTEMPTS + 1):
        kept = connection.connection is not None
        try:
            with bounded(connection, deadline - time.monotonic()):
                write_entries(entries)
            return
        except (OperationalError, InterfaceError) as error:
            conflict = isinstance(error, OperationalError) and is_conflict(error)
            if connection.in_atomic_block:
                raise
            if not conflict:
                # A connection that was kept may have died long ago; a new one tells whether the server did.
                connection.close()
            if attempt == CONFLICT_ATTEMPTS or time.monotonic() >= deadline or not (kept or conflict):
                raise
