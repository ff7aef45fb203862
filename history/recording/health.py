"""Whether the history is kept: what to ask before, during and after an outage."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import DatabaseError, InterfaceError, connections, router
from django.utils import timezone
from django.utils.connection import ConnectionDoesNotExist

from history.conf import conf
from history.database.circuit_breaker import breaker
from history.database.deadline import bounded
from history.models import PendingHistory, StudentModuleHistory


@dataclass(frozen=True)
class Backlog:
    """What waits for delivery at one moment."""

    pending: int
    """entries that wait for delivery"""
    oldest_pending: datetime | None
    """when the oldest of them was written, UTC"""

    @property
    def overdue(self) -> bool:
        """Whether an entry has waited longer than HISTORY_PENDING_ALARM seconds."""
        if self.oldest_pending is None:
            return False
        return (timezone.now() - self.oldest_pending).total_seconds() > conf.HISTORY_PENDING_MAX_AGE


@dataclass(frozen=True)
class Health(Backlog):
    """What is known of the history at one moment, in one process."""

    reachable: bool
    """whether the history database answers within HISTORY_TIMEOUT"""
    migrated: bool
    """whether its table is there"""
    breaker: str
    """closed, open or probing, in this process"""
    error: str
    """what the history database said, where it did not answer"""

    @property
    def healthy(self) -> bool:
        """Whether nothing needs anybody's attention."""
        return self.reachable and self.migrated and not self.overdue

    def as_dict(self) -> dict[str, Any]:
        """Return all of it, for JSON."""
        return {**asdict(self), "overdue": self.overdue, "healthy": self.healthy}


def health() -> Health:
    """Ask the history database and count what waits. Raises DatabaseError where the state's database fails."""
    waiting = backlog()
    reachable, migrated, error = _ask()
    return Health(
        reachable=reachable,
        migrated=migrated,
        breaker=breaker.state,
        pending=waiting.pending,
        oldest_pending=waiting.oldest_pending,
        error=error,
    )


def backlog() -> Backlog:
    """Count what waits; asks the state's database only."""
    waiting = PendingHistory.objects.using(router.db_for_write(PendingHistory))
    oldest = waiting.order_by("pk").values_list("created", flat=True).first()
    return Backlog(waiting.count() if oldest else 0, oldest)


def _ask() -> tuple[bool, bool, str]:
    alias = router.db_for_write(StudentModuleHistory)
    try:
        connection = connections[alias]
        with bounded(connection, conf.HISTORY_TIMEOUT):
            tables = connection.introspection.table_names()
    except (DatabaseError, InterfaceError, ConnectionDoesNotExist) as error:
        if alias in connections and not connections[alias].in_atomic_block:
            connections[alias].close()
        return False, False, str(error).strip()
    return True, StudentModuleHistory._meta.db_table in tables, ""
