"""Records every version of a recorded block type before the transaction of its state commits.

The entry goes into the history database, or becomes pending. If the state's transaction rolls back, a pending entry is
rolled back with it; an entry in the history database remains, and readers ignore it because no chain of digests leads
to it.
"""

from collections.abc import Sequence
from typing import Any

from django.db import DatabaseError, OperationalError, router, transaction

from history.conf import conf, is_recorded
from history.exceptions import HistoryUnavailable
from history.models import StudentModuleHistory
from history.recording.erasure import ERASE, erase_when_committed
from history.recording.pending import deliver_after_commit, store_pending
from history.recording.write_ahead import try_entries, write_entries
from kvstore.signals import DELETED, StateVersion, state_written
from kvstore.versioning.transactions import is_conflict


def connect() -> None:
    state_written.connect(record, dispatch_uid="xblock_history.record")


def record(versions: Sequence[StateVersion], using: str, **kwargs: Any) -> None:
    """Record the versions of recorded block types. Called in the transaction that writes them to ``using``."""
    recorded = set(filter(is_recorded, {version.module_type for version in versions}))
    entries = [version for version in versions if version.module_type in recorded]
    if not entries:
        return
    if router.db_for_write(StudentModuleHistory) == using:
        _record_with_state(entries, using)
    else:
        _record_ahead(entries, using)
    erase_when_committed(entries, using)


def _record_with_state(entries: Sequence[StateVersion], using: str) -> None:
    """Write entries to the database of the state, in the same transaction."""
    try:
        write_entries(entries)
    except DatabaseError as error:
        if isinstance(error, OperationalError) and is_conflict(error):
            raise
        raise HistoryUnavailable(
            f"Database {using!r} rejected the history entries, so the state was not stored: {error}. Run `manage.py "
            f"migrate --database {using}`."
        ) from error


def _record_ahead(entries: Sequence[StateVersion], using: str) -> None:
    # A ``deleted`` entry proves that all entries before it were committed, so it must commit with the deletion.
    deletions = [entry for entry in entries if entry.action == DELETED]
    others = [entry for entry in entries if entry.action != DELETED]
    if others and not try_entries(others):
        store_pending(others, using)
    if deletions:
        store_pending(deletions, using)
        if conf.HISTORY_ON_DELETE != ERASE:
            transaction.on_commit(lambda: deliver_after_commit(deletions), using=using, robust=True)
