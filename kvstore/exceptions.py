"""Every error that kvstore raises of its own: what happened, to what, and what to do."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from xblock.exceptions import InvalidScopeError, KeyValueMultiSaveError

NAMED_IDS = 20


class Picklable:
    """Lets errors whose constructors take other arguments than they keep travel between processes."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), vars(self), getattr(self, "args", ()))


def _restored(error_class: type[Exception], attributes: dict[str, Any], args: tuple[Any, ...]) -> Exception:
    error = error_class.__new__(error_class)
    error.args = args
    vars(error).update(attributes)
    return error


class KVStoreError(Picklable, Exception):
    """Base of every error raised before anything was written; the stored state is as it was."""


class UnsupportedScope(KVStoreError, InvalidScopeError, ValueError):
    """The key's scope is not one that keeps learners' state."""

    def __init__(self, scope: object, supported: Sequence[str]) -> None:
        super().__init__(scope, supported)
        self.message = (
            f"{scope} is not kept by this store, which keeps {', '.join(supported)}. Route the field's scope "
            "to another field data, for example with xblock.field_data.SplitFieldData."
        )
        self.args = (self.message,)


class AnotherLearner(KVStoreError, PermissionDenied, AssertionError):
    """The key belongs to another learner than the one whose state was loaded.

    Also an AssertionError, which callers of earlier stores catch; raised under ``python -O`` too.
    """


class UnknownLearner(KVStoreError, LookupError):
    """No such user exists, so there is nobody to keep state for."""


class ReadOnlyState(KVStoreError, InvalidScopeError):
    """The FieldDataCache was made with ``read_only=True``; nothing can be written through it."""

    def __init__(self, message: str) -> None:
        Exception.__init__(self, message)
        self.message = message


class UnusableKey(KVStoreError, ValueError):
    """A usage key, course key, block type or field name that no row can be stored under."""


class UnstorableValue(KVStoreError, ValueError):
    """A field's value that cannot be stored as JSON and read back as it was."""


class UnstorableScore(KVStoreError, ValueError):
    """A grade or maximum that is not a finite number."""


class UnusableContext(KVStoreError, ValueError):
    """An actor, reason or request id that a version cannot hold."""


class CorruptState(KVStoreError, ValueError):
    """The text stored in one or more rows is not the JSON that this store writes.

    ``row_ids`` names them (at most the first twenty); ``count`` says how many there are.
    """

    def __init__(self, table: str, row_ids: Iterable[int], count: int, reason: str) -> None:
        self.row_ids = tuple(row_ids)[:NAMED_IDS]
        self.count = count
        named = ", ".join(map(str, self.row_ids))
        super().__init__(
            f"{count} row(s) of {table} hold text that is not readable state (id {named}): {reason}. "
            "The rows were left as they are; correct or empty them in the database."
        )


class StateMoved(KVStoreError, ValueError):
    """The row is not at the version that the write was meant for, because somebody wrote meanwhile."""

    def __init__(self, expected: int, found: int) -> None:
        self.expected = expected
        self.found = found
        super().__init__(
            f"The state is at version {found}, not {expected}: somebody wrote meanwhile, and nothing was stored. "
            "Look at what it holds now, and decide again."
        )


class UnrecordedWrite(KVStoreError, TypeError):
    """A bulk write that would change learners' state without leaving a version of it."""


class HistoryNotInstalled(KVStoreError, LookupError):
    """History was asked for, but the app that keeps it is not in INSTALLED_APPS."""


class SaveFailed(Picklable, KeyValueMultiSaveError):
    """The database refused a save. ``saved_field_names`` names exactly the fields that are stored."""

    def __init__(self, saved_field_names: Iterable[str], reason: str) -> None:
        super().__init__(list(saved_field_names))
        self.args = (f"Saved {self.saved_field_names}; the rest was not stored: {reason}",)


class WriteConflict(OperationalError):
    """Other writers kept this write from being made; nothing of it is stored. Try the request again."""
