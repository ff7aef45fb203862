"""Writes entries to the history database before their state commits: one statement with one time limit."""

import logging
from collections.abc import Sequence

from django.db import DataError, IntegrityError, OperationalError, router

from history.database.circuit_breaker import breaker
from history.database.connection import FAILURES, call_in_time
from history.models import IDENTIFYING_COLUMNS, StudentModuleHistory
from kvstore.signals import StateVersion
from kvstore.versioning.sql import insert_missing
from kvstore.versioning.transactions import is_conflict, is_lock_timeout

logger = logging.getLogger("history")

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
        call_in_time(lambda: write_entries(entries))
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
