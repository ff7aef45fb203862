"""Writes entries to the history database before their state commits: one statement with one time limit."""

import logging
import time
from collections.abc import Sequence

from django.db import DataError, IntegrityError, InterfaceError, OperationalError, connections, router

from history.conf import conf
from history.database.circuit_breaker import breaker
from history.database.connection import FAILURES
from history.database.deadline import bounded
from history.models import IDENTIFYING_COLUMNS, StudentModuleHistory
from kvstore.signals import StateVersion
from kvstore.versioning.sql import insert_missing
from kvstore.versioning.transactions import is_conflict, is_lock_timeout

logger = logging.getLogger("history")

CONFLICT_ATTEMPTS = 3

REJECTED = (DataError, IntegrityError)
"""the errors of a database that works but rejects an entry"""


def write_entries(entries: Sequence[StateVersion]) -> None:
    """Insert the entries that are not stored yet, in one statement. Raises the error of the database."""
    using = router.db_for_write(StudentModuleHistory)
    insert_missing(StudentModuleHistory, StateVersion._fields, entries, using, unique_columns=IDENTIFYING_COLUMNS)


def try_entries(entries: Sequence[StateVersion]) -> bool:
    """Write entries and return True, or return False if the history database fails.

    Takes HISTORY_TIMEOUT seconds at most, and no time if the database failed less than HISTORY_RETRY_AFTER seconds
    ago. Raises no error of the database.
    """
    if not breaker.allows():
        return False
    try:
        _write_in_time(entries)
    except REJECTED as error:
        # The database works, so other entries can be written.
        breaker.record_success()
        logger.error("The history database rejected entries: %s", error, extra={"event": "refused"})
        return False
    except FAILURES as error:
        # A deadlock ends when it is detected. A lock that was held for that long may delay the next write too.
        if isinstance(error, OperationalError) and is_conflict(error) and not is_lock_timeout(error):
            breaker.record_success()
        else:
            breaker.record_failure(error)
        return False
    except BaseException:
        # Without this, an interrupted probe would stop all further attempts.
        breaker.cancel()
        raise
    breaker.record_success()
    return True


def _write_in_time(entries: Sequence[StateVersion]) -> None:
    connection = connections[router.db_for_write(StudentModuleHistory)]
    deadline = time.monotonic() + conf.HISTORY_TIMEOUT
    for attempt in range(1, CONFLICT_ATTEMPTS + 1):
        was_open = connection.connection is not None
        try:
            with bounded(connection, deadline - time.monotonic()):
                write_entries(entries)
            return
        except (OperationalError, InterfaceError) as error:
            conflict = isinstance(error, OperationalError) and is_conflict(error)
            if connection.in_atomic_block:
                raise
            if not conflict:
                # The server may have closed an open connection long ago. A new one shows whether the server works.
                connection.close()
            if attempt == CONFLICT_ATTEMPTS or time.monotonic() >= deadline or not (was_open or conflict):
                raise
