"""The public surface of history. What is not here may move."""

from history.delivery import Delivery, deliver
from history.diff import Difference, FieldChange, diff
from history.exceptions import AppendOnly, HistoryError, HistoryUnavailable, RestoreRefused
from history.health import Health, health
from history.recovered import RecoveredRow, Recovery
from history.recovery import recover
from history.restoring import restore
from history.timeline import as_of, timeline
from history.verification import Verification, verify
from kvstore.context import Change, change_context, current_change
from kvstore.exceptions import UnusableContext

__all__ = [
    "AppendOnly",
    "Change",
    "Delivery",
    "Difference",
    "FieldChange",
    "Health",
    "HistoryError",
    "HistoryUnavailable",
    "RecoveredRow",
    "Recovery",
    "RestoreRefused",
    "UnusableContext",
    "Verification",
    "as_of",
    "change_context",
    "current_change",
    "deliver",
    "diff",
    "health",
    "recover",
    "restore",
    "timeline",
    "verify",
]
