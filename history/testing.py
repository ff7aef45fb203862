"""For tests of projects that use history: outages of the history database, and the circuit breaker."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import router
from django.test import override_settings

from history.database.circuit_breaker import breaker
from history.models import PendingHistory, StudentModuleHistory

__all__ = ["history_unavailable", "reset_circuit_breaker"]

MISSING_ALIAS = "history_unavailable"


def reset_circuit_breaker() -> None:
    """Close the circuit breaker of this process, so that the next write tries the history database."""
    breaker.reset()


@contextmanager
def history_unavailable() -> Iterator[None]:
    """Make every call of the history database fail as in an outage, in all threads of the process.

    Writes of learners succeed, and their entries stay pending. Reads of the history raise HistoryUnavailable. The
    circuit breaker is reset before and after. Raises RuntimeError if state and history are in one database.
    """
    if router.db_for_write(StudentModuleHistory) == router.db_for_write(PendingHistory):
        raise RuntimeError("State and history are in one database, so the history cannot be unavailable by itself.")
    reset_circuit_breaker()
    try:
        with override_settings(HISTORY_DATABASE_ALIAS=MISSING_ALIAS):
            yield
    finally:
        reset_circuit_breaker()
