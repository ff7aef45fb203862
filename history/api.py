"""The public surface of history. What is not here may move."""

from history.context import Change, change_context, current_change
from history.delivery import Delivery, deliver
from history.exceptions import AppendOnly, HistoryError, HistoryUnavailable, UnusableContext
from history.health import Health, health
from history.timeline import timeline
from history.verification import Verification, verify

__all__ = [
    "AppendOnly",
    "Change",
    "Delivery",
    "Health",
    "HistoryError",
    "HistoryUnavailable",
    "UnusableContext",
    "Verification",
    "change_context",
    "current_change",
    "deliver",
    "health",
    "timeline",
    "verify",
]
