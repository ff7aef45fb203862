"""Every error that history raises of its own: what happened, to what, and what to do."""

from django.db import DatabaseError


class HistoryError(Exception):
    """Base of the errors of history."""


class AppendOnly(HistoryError, TypeError):
    """History entries are written once, by the store; nothing changes or removes them."""


class HistoryUnavailable(HistoryError, DatabaseError):
    """The history database did not take or give entries: it is missing, not migrated, or cannot be reached."""


class RestoreRefused(HistoryError, ValueError):
    """A version that cannot be put back; nothing was written."""


class UnusableSeal(HistoryError, ValueError):
    """A file that is no seal, or not one that can be compared with this installation."""
