"""The content of the pages: the health of the history, without the error text of a database."""

import logging
from collections.abc import Iterator
from typing import Any

from django.db import DatabaseError, InterfaceError

from history.database.circuit_breaker import CLOSED, OPEN, PROBING, breaker
from history.export import iso
from history.monitoring.openmetrics import Gauge, StateSet
from history.recording.health import Health, health

logger = logging.getLogger("history")

PREFIX = "xblock_history_"
"""of the names of all metrics"""


def current_health() -> Health | None:
    """Return the health of the history, or None if the database of the state fails; the error is logged."""
    try:
        return health(through_breaker=True)
    except (DatabaseError, InterfaceError) as error:
        logger.error("The pending entries cannot be counted: %s", error, extra={"event": "health_failed"})
        return None


def as_json(found: Health | None) -> dict[str, Any]:
    """Return the values of the JSON page."""
    if found is None:
        return {"state_reachable": False, "healthy": False, "breaker": breaker.state}
    values = {"state_reachable": True, **found.as_dict()}
    # It names hosts and accounts. The log and ``manage.py history_health`` contain it.
    del values["error"]
    if found.oldest_pending:
        values["oldest_pending"] = iso(found.oldest_pending)
    return values


def metrics(found: Health | None) -> Iterator[Gauge | StateSet]:
    """Yield the metrics. If the database of the state failed, the metrics that need it are absent."""
    yield _gauge("state_reachable", "Whether the database of the state answers.", found is not None)
    yield _gauge("healthy", "Whether entries reach the history database.", found is not None and found.healthy)
    state = found.breaker if found else breaker.state
    text = "The state of the circuit breaker of the process that answered."
    yield StateSet(f"{PREFIX}breaker", text, (CLOSED, OPEN, PROBING), state)
    if found:
        yield from _counts(found)


def _counts(found: Health) -> Iterator[Gauge]:
    yield _gauge("reachable", "Whether the history database answers.", found.reachable)
    yield _gauge("migrated", "Whether the history database answers and has the table of entries.", found.migrated)
    yield _gauge("pending_entries", "Entries that are not delivered to the history database.", found.pending)
    yield _gauge("refused_entries", "Pending entries that the history database rejected.", found.refused)
    age = "Seconds since the oldest pending entry was written, 0 if none is pending."
    yield _gauge("oldest_pending_age_seconds", age, found.oldest_pending_age, unit="seconds")


def _gauge(name: str, text: str, value: float, unit: str = "") -> Gauge:
    return Gauge(f"{PREFIX}{name}", text, value, unit)
