"""The public API of history, with the types that its functions return and raise. All other modules may change."""

from history.comparison.diff import Difference, diff
from history.comparison.json_diff import ChangedField, ChangeKind, FieldChange
from history.evidence.archive import export_evidence
from history.exceptions import AppendOnly, HistoryError, HistoryUnavailable, RestoreRefused, UnusableSelection
from history.incident.repair import repair
from history.incident.results import Repair, RepairedRow, RepairResult
from history.incident.selection import Selection
from history.models import Entry
from history.reading.timeline import as_of, timeline
from history.recording.delivery import Delivery, deliver
from history.recording.health import Health, health
from history.recovery.recover import recover
from history.recovery.results import RecoveredRow, Recovery, Result
from history.restore import restore
from history.verification.row_check import Problem
from history.verification.verify import Verification, verify
from kvstore.exceptions import CorruptState, StateMoved, UnusableContext, UnusableKey
from kvstore.storage.sequences import NextId
from kvstore.versioning.context import Change, change_context, current_change

__all__ = [
    "AppendOnly",
    "Change",
    "ChangeKind",
    "ChangedField",
    "CorruptState",
    "Delivery",
    "Difference",
    "Entry",
    "FieldChange",
    "Health",
    "HistoryError",
    "HistoryUnavailable",
    "NextId",
    "Problem",
    "RecoveredRow",
    "Recovery",
    "Repair",
    "RepairResult",
    "RepairedRow",
    "RestoreRefused",
    "Result",
    "Selection",
    "StateMoved",
    "UnusableContext",
    "UnusableKey",
    "UnusableSelection",
    "Verification",
    "as_of",
    "change_context",
    "current_change",
    "deliver",
    "diff",
    "export_evidence",
    "health",
    "recover",
    "repair",
    "restore",
    "timeline",
    "verify",
]
