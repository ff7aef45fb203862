"""The health of the history: whether its database answers, and how many entries are pending."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from history.conf import conf
from history.database.circuit_breaker import breaker
from history.database.connection import FAILURES, history_connection
from history.models import StudentModuleHistory
from history.recording.pending import pending_entries


@dataclass(frozen=True)
class Backlog:
    """The pending entries at one moment."""

    pending: int
    """number of pending entries"""
    oldest_pending: datetime | None
    """when the oldest of them was written, UTC"""

    @property
    def overdue(self) -> bool:
        """Whether the oldest entry has been pending for more than HISTORY_PENDING_MAX_AGE seconds."""
        if self.oldest_pending is None:
            return False
        return (timezone.now() - self.oldest_pending).total_seconds() > conf.HISTORY_PENDING_MAX_AGE


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
        return {**asdict(self), "overdue": self.overdue, "healthy": self.healthy}


def health() -> Health:
    """Query the history database and count pending entries. Raises DatabaseError if the state's database fails."""
    pending = backlog()
    reachable, migrated, error = True, False, ""
    try:
        with history_connection() as connection:
            migrated = StudentModuleHistory._meta.db_table in connection.introspection.table_names()
    except FAILURES as failure:
        reachable, error = False, str(failure).strip()
    return Health(
        reachable=reachable,
        migrated=migrated,
        breaker=breaker.state,
        pending=pending.pending,
        oldest_pending=pending.oldest_pending,
        error=error,
    )


def backlog() -> Backlog:
    """Count the pending entries. Reads only the database of the state."""
    pending = pending_entries()
    oldest = pending.order_by("pk").values_list("created", flat=True).first()
    return Backlog(pending.count() if oldest else 0, oldest)
