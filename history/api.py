"""The public surface of history. What is not here may move."""

from history.context import Change, change_context, current_change
from history.exceptions import AppendOnly, HistoryError, HistoryUnavailable, UnusableContext
from history.timeline import timeline

__all__ = [
    "AppendOnly",
    "Change",
    "HistoryError",
    "HistoryUnavailable",
    "UnusableContext",
    "change_context",
    "current_change",
    "timeline",
]
