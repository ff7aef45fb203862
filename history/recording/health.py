"""The health of the history: whether its database answers, and how many entries are pending."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import connections, router
from django.db.models import Count
from django.utils import timezone

from history.conf import conf
from history.database.circuit_breaker import breaker
from history.database.connection import FAILURES, call_in_time
from history.exceptions import HistoryUnavailable
from history.models import StudentModuleHistory
from history.recording.pending import pending_entries


@dataclass(frozen=True)
class Backlog:
    """The pending entries at one moment."""

    pending: int
    """number of pending entries"""
    oldest_pending: datetime | None
    """when the oldest of them was written, UTC"""
    refused: int
    """number of pending entries that the history database rejected although it accepted others"""

    @property
    def oldest_pending_age(self) -> float:
        """The seconds since the oldest of them was written; 0 if none is pending."""
        if self.oldest_pending is None:
            return 0.0
        return max(0.0, (timezone.now() - self.oldest_pending).total_seconds())

    @property
    def overdue(self) -> bool:
        """Whether the oldest entry has been pending for more than HISTORY_PENDING_MAX_AGE seconds."""
        return self.oldest_pending is not None and self.oldest_pending_age > conf.HISTORY_PENDING_MAX_AGE


@dataclass(frozen=True)
class Health(Backlog):
    """The health of the history at one moment, as one process sees it."""

    reachable: bool
    """whether the history database answers within HISTORY_TIMEOUT"""
    migrated: bool
    """whether its table exists"""
    breaker: str
    """the state of this process's circuit breaker: closed, open or probing"""
    error: str
    """the error of the history database, empty if it answers"""

    @property
    def healthy(self) -> bool:
        return self.reachable and self.migrated and not self.overdue

    def as_dict(self) -> dict[str, Any]:
        """Return all fields and properties, for JSON."""
        properties = ("oldest_pending_age", "overdue", "healthy")
        return {**asdict(self), **{name: getattr(self, name) for name in properties}}


def health(*, through_breaker: bool = False) -> Health:
    """Query the history database and count pending entries. Raises DatabaseError if the state's database fails.

    Waits for the history database for HISTORY_TIMEOUT seconds at most. With ``through_breaker``, it is not called
    while the circuit breaker skips it, and a failure opens the breaker: for pages that are requested often.
    """
    pending = backlog()
    migrated, error = _checked_through_breaker() if through_breaker else _checked()
    return Health(
        reachable=error is None,
        migrated=migrated,
        breaker=breaker.state,
        pending=pending.pending,
        oldest_pending=pending.oldest_pending,
        refused=pending.refused,
        error=str(error or "").strip(),
    )


def backlog() -> Backlog:
    """Count the pending entries. Reads only the database of the state."""
    pending = pending_entries()
    oldest = pending.order_by("pk").values_list("created", flat=True).first()
    if oldest is None:
        return Backlog(pending=0, oldest_pending=None, refused=0)
    counts = pending.aggregate(pending=Count("pk"), refused=Count("refused"))
    return Backlog(oldest_pending=oldest, **counts)


def _checked() -> tuple[bool, BaseException | None]:
    """Return whether the table of entries exists, and the error of the history database."""
    try:
        return call_in_time(_has_table), None
    except FAILURES as error:
        return False, error


def _checked_through_breaker() -> tuple[bool, BaseException | None]:
    if not breaker.allows():
        return False, HistoryUnavailable("The history database failed a short time ago and was not tried again.")
    try:
        migrated, error = _checked()
        if error is not None:
            breaker.record_failure(error)
        return migrated, error
    finally:
        # Only a write shows that the database accepts entries, so the next write is still the probe.
        breaker.cancel()


def _has_table() -> bool:
    connection = connections[router.db_for_write(StudentModuleHistory)]
    return StudentModuleHistory._meta.db_table in connection.introspection.table_names()
