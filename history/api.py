"""The public surface of history. What is not here may move."""

from history.comparison.diff import Difference, diff
from history.comparison.json_diff import FieldChange
from history.exceptions import AppendOnly, HistoryError, HistoryUnavailable, RestoreRefused
from history.reading.timeline import as_of, timeline
from history.recording.delivery import Delivery, deliver
from history.recording.health import Health, health
from history.recovery.recover import recover
from history.recovery.results import RecoveredRow, Recovery
from history.restore import restore
from history.verification.verify import Verification, verify
from kvstore.exceptions import UnusableContext
from kvstore.versioning.context import Change, change_context, current_change

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
