"""Pending entries: written to ``default`` together with the state, until the history database has them."""

import logging
from collections.abc import Sequence

from django.db.models import QuerySet

from history.models import PendingHistory
from history.querysets import on_primary
from history.recording.write_ahead import try_entries
from kvstore.signals import StateVersion
from kvstore.versioning import sql

logger = logging.getLogger("history")


def pending_entries() -> QuerySet[PendingHistory]:
    """Return the query set of pending entries, on the database that they are written to."""
    return on_primary(PendingHistory)


def store_pending(entries: Sequence[StateVersion], using: str) -> None:
    """Store entries as pending in the open transaction on ``using``."""
    sql.insert(PendingHistory, StateVersion._fields, entries, using)
    logger.info("Stored %s pending history entries.", len(entries), extra={"event": "pending", "count": len(entries)})


def deliver_after_commit(entries: Sequence[StateVersion]) -> None:
    """Deliver pending entries that were just committed. If the history database fails, they stay pending."""
    if not try_entries(entries):
        return
    digests = {entry.digest for entry in entries}
    stored = pending_entries().filter(student_module_id__in={entry.student_module_id for entry in entries})
    delivered = [pk for pk, digest in stored.values_list("pk", "digest") if digest in digests]
    pending_entries().filter(pk__in=delivered).delete()
