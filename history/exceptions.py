"""The errors of history. Their messages state the problem and the remedy."""

from django.db import DatabaseError


class HistoryError(Exception):
    """Base of the errors of history."""


class AppendOnly(HistoryError, TypeError):
    """An operation would change or remove history entries."""


class HistoryUnavailable(HistoryError, DatabaseError):
    """The history database is missing, not migrated, unreachable or locked, or it rejected entries."""


class RestoreRefused(HistoryError, ValueError):
    """The version cannot be restored. Nothing was written."""


class UnusableSelection(HistoryError, ValueError):
    """The criteria of a repair are invalid, contradict each other, or select too much. Nothing was written."""


class UnusableSeal(HistoryError, ValueError):
    """The file is not a seal, or is a seal of another installation."""
