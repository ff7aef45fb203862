"""The direct way into the history database: one statement, one deadline, no more than one failure in a while."""

import logging
import time
from collections.abc import Sequence

from django.db import DatabaseError, DataError, IntegrityError, InterfaceError, OperationalError, connections, router
from django.utils.connection import ConnectionDoesNotExist

from history.breaker import breaker
from history.conf import conf
from history.deadline import bounded
from history.entries import EntryValues
from history.models import StudentModuleHistory
from kvstore.statements import upsert, upsert_unless_later
from kvstore.transactions import is_conflict, is_lock_timeout

logger = logging.getLogger("history")

# What says which version an entry is of; all the rest is written over.
KEY = ("student_module_id", "version")
CONTENT = tuple(name for name in EntryValues._fields if name not in KEY)

CONFLICT_ATTEMPTS = 3


def write_entries(entries: Sequence[EntryValues]) -> None:
    """Write entries in one statement, over those of the same versions: such a one is this one or never happened.

    Raises the error of the database.
    """
    using = router.db_for_write(StudentModuleHistory)
    upsert(StudentModuleHistory, EntryValues._fields, entries, using, unique_columns=KEY, update_columns=CONTENT)


def write_ahead(entries: Sequence[EntryValues]) -> None:
    """Write entries of versions that are not committed yet, in one statement.

    A server that hung may run a statement long after its client gave up and its version was really made by another
    write; so what is written ahead replaces no later entry. Raises Superseded where one of them is, which takes a
    clock that runs behind; else the error of the database.
    """
    taken = upsert_unless_later(
        StudentModuleHistory,
        EntryValues._fields,
        entries,
        router.db_for_write(StudentModuleHistory),
        unique_columns=KEY,
        update_columns=CONTENT,
        moment="created",
    )
    if taken < len(entries):
        raise Superseded(f"{len(entries) - taken} entries are older than what their versions' entries say already.")


class Superseded(DataError):
    """Entries that wait for their commit, and are delivered over those that seem to be later."""


def try_entries(entries: Sequence[EntryValues]) -> bool:
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
        breaker.succeeded()
        logger.error("The history database refused entries: %s", error, extra={"event": "refused"})
        return False
    except (DatabaseError, InterfaceError, ConnectionDoesNotExist) as error:
        # A deadlock is over when it is found. A lock that was held so long may be held for the next write too.
        if isinstance(error, OperationalError) and is_conflict(error) and not is_lock_timeout(error):
            breaker.succeeded()
        else:
            breaker.failed(error)
        return False
    except BaseException:
        # An interrupted probe must not leave the breaker waiting for its answer.
        breaker.abandoned()
        raise
    breaker.succeeded()
    return True


def _write_in_time(entries: Sequence[EntryValues]) -> None:
    connection = connections[router.db_for_write(StudentModuleHistory)]
    deadline = time.monotonic() + conf.HISTORY_TIMEOUT
    for attempt in range(1, CONFLICT_ATTEMPTS + 1):
        kept = connection.connection is not None
        try:
            with bounded(connection, deadline - time.monotonic()):
                write_ahead(entries)
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
