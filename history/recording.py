"""Records each version of a recorded block before it commits: in the history database, or waiting beside the state.

Should the state's transaction roll back, an entry in the history database names a version that the row does not reach;
readers leave it out, and the version that really comes next takes its place. An entry that waits beside the state is
written in the state's transaction, and rolls back with it.
"""

import logging
from collections.abc import Sequence
from typing import Any

from django.db import DatabaseError, OperationalError, router, transaction
from django.db.models import Q

from history.conf import conf, is_recorded
from history.context import current_change
from history.direct import try_entries, write_entries
from history.entries import EntryValues, entries_of
from history.erasure import ERASE, erase_when_committed
from history.exceptions import HistoryUnavailable
from history.models import PendingHistory, StudentModuleHistory
from kvstore import statements
from kvstore.signals import DELETED, StateVersion, state_written
from kvstore.transactions import is_conflict

logger = logging.getLogger("history")

NOT_TAKEN = (
    "Database {using!r} did not take the history of the state, so the state was not stored: {error}. Run `manage.py "
    "migrate --database {using}`."
)


def connect() -> None:
    """Record every version from now on."""
    state_written.connect(record, dispatch_uid="xblock_history.record")


def record(versions: Sequence[StateVersion], using: str, **kwargs: Any) -> None:
    """Record those versions whose block type is recorded, in the transaction that writes them to ``using``."""
    recorded = [version for version in versions if is_recorded(version.module_type)]
    if not recorded:
        return
    entries = entries_of(recorded, current_change())
    if router.db_for_write(StudentModuleHistory) == using:
        _record_together(entries, using)
    else:
        _record_apart(entries, using)
    erase_when_committed(recorded, using)


def _record_together(entries: Sequence[EntryValues], using: str) -> None:
    """Write entries where the state is: they commit with it, or neither does."""
    try:
        write_entries(entries)
    except OperationalError as error:
        if is_conflict(error):
            raise
        raise HistoryUnavailable(NOT_TAKEN.format(using=using, error=error)) from error
    except DatabaseError as error:
        raise HistoryUnavailable(NOT_TAKEN.format(using=using, error=error)) from error


def _record_apart(entries: Sequence[EntryValues], using: str) -> None:
    # The end of a row proves that all before it was committed, so it must itself commit with the deletion.
    endings = [entry for entry in entries if entry.action == DELETED]
    others = [entry for entry in entries if entry.action != DELETED]
    if others and not try_entries(others):
        keep_waiting(others, using)
    if endings:
        keep_waiting(endings, using)
        if conf.HISTORY_ON_DELETE != ERASE:
            transaction.on_commit(lambda: deliver_now(endings), using=using, robust=True)


def keep_waiting(entries: Sequence[EntryValues], using: str) -> None:
    """Write entries beside the state, in its transaction."""
    statements.insert(PendingHistory, EntryValues._fields, entries, using)
    logger.info(
        "%s history entries wait beside the state for the history database.",
        len(entries),
        extra={"event": "pending", "count": len(entries)},
    )


def deliver_now(entries: Sequence[EntryValues]) -> None:
    """Deliver entries that were just committed beside the state; if the history database takes none, they wait on."""
    if try_entries(entries):
        delivered = Q()
        for entry in entries:
            delivered |= Q(student_module_id=entry.student_module_id, version=entry.version)
        PendingHistory.objects.using(router.db_for_write(PendingHistory)).filter(delivered).delete()
