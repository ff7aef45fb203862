"""Records each version of a recorded block before it commits: in the history database, or waiting beside the state.

If the state's transaction rolls back, its entry remains in the history database, but no chain of digests leads to it
from a row, and readers leave it out. A pending entry is written in the state's transaction and rolls back with it.
"""

import logging
from collections.abc import Sequence
from typing import Any

from django.db import DatabaseError, OperationalError, router, transaction

from history.conf import conf, is_recorded
from history.exceptions import HistoryUnavailable
from history.models import PendingHistory, StudentModuleHistory
from history.recording.erasure import ERASE, erase_when_committed
from history.recording.write_ahead import try_entries, write_entries
from kvstore.signals import DELETED, StateVersion, state_written
from kvstore.versioning import sql
from kvstore.versioning.transactions import is_conflict

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
    entries = [version for version in versions if is_recorded(version.module_type)]
    if not entries:
        return
    if router.db_for_write(StudentModuleHistory) == using:
        _record_together(entries, using)
    else:
        _record_apart(entries, using)
    erase_when_committed(entries, using)


def _record_together(entries: Sequence[StateVersion], using: str) -> None:
    """Write entries where the state is: they commit with it, or neither does."""
    try:
        write_entries(entries)
    except OperationalError as error:
        if is_conflict(error):
            raise
        raise HistoryUnavailable(NOT_TAKEN.format(using=using, error=error)) from error
    except DatabaseError as error:
        raise HistoryUnavailable(NOT_TAKEN.format(using=using, error=error)) from error


def _record_apart(entries: Sequence[StateVersion], using: str) -> None:
    # The end of a row proves that all before it was committed, so it must itself commit with the deletion.
    endings = [entry for entry in entries if entry.action == DELETED]
    others = [entry for entry in entries if entry.action != DELETED]
    if others and not try_entries(others):
        store_pending(others, using)
    if endings:
        store_pending(endings, using)
        if conf.HISTORY_ON_DELETE != ERASE:
            transaction.on_commit(lambda: deliver_after_commit(endings), using=using, robust=True)


def store_pending(entries: Sequence[StateVersion], using: str) -> None:
    """Write entries beside the state, in its transaction."""
    sql.insert(PendingHistory, StateVersion._fields, entries, using)
    logger.info(
        "%s history entries wait beside the state for the history database.",
        len(entries),
        extra={"event": "pending", "count": len(entries)},
    )


def deliver_after_commit(entries: Sequence[StateVersion]) -> None:
    """Deliver entries that were just committed beside the state; if the history database takes none, they stay."""
    if not try_entries(entries):
        return
    pending = PendingHistory.objects.using(router.db_for_write(PendingHistory))
    digests = {entry.digest for entry in entries}
    found = pending.filter(student_module_id__in={entry.student_module_id for entry in entries})
    delivered = [pk for pk, digest in found.values_list("pk", "digest") if digest in digests]
    pending.filter(pk__in=delivered).delete()
