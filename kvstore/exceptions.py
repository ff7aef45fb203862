"""The errors of kvstore. Each message names the cause and the fix."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from xblock.exceptions import InvalidScopeError, KeyValueMultiSaveError

NAMED_IDS = 20


class Picklable:
    """Lets errors be pickled although their constructors take other arguments than ``args``."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), vars(self), getattr(self, "args", ()))


def _restored(error_class: type[Exception], attributes: dict[str, Any], args: tuple[Any, ...]) -> Exception:
    error = error_class.__new__(error_class)
    error.args = args
    vars(error).update(attributes)
    return error


class KVStoreError(Picklable, Exception):
    """Base class of errors that are raised before anything is written."""


class UnsupportedScope(KVStoreError, InvalidScopeError, ValueError):
    """The store does not support the scope of the key."""

    def __init__(self, scope: object, supported: Sequence[str]) -> None:
        super().__init__(scope, supported)
        self.message = (
            f"This store does not support the scope {scope}, only {', '.join(supported)}. Route the field's scope "
            "to another FieldData, for example with xblock.field_data.SplitFieldData."
        )
        self.args = (self.message,)


class AnotherLearner(KVStoreError, PermissionDenied, AssertionError):
    """The key belongs to another learner than the FieldDataCache.

    An AssertionError too, because callers of Open edX's store catch that. Raised under ``python -O`` as well.
    """


class UnknownLearner(KVStoreError, LookupError):
    """The user does not exist, so no state can be stored."""


class ReadOnlyState(KVStoreError, InvalidScopeError):
    """A write to a FieldDataCache that was made with ``read_only=True``."""

    def __init__(self, message: str) -> None:
        Exception.__init__(self, message)
        self.message = message


class UnusableKey(KVStoreError, ValueError):
    """A usage key, course key, block type or field name that the database cannot store."""


class UnstorableValue(KVStoreError, ValueError):
    """A field value that JSON cannot represent."""


class UnstorableScore(KVStoreError, ValueError):
    """A grade or maximum grade that is not a finite number."""


class UnusableContext(KVStoreError, ValueError):
    """An actor, reason or request id that a history entry cannot store."""


class CorruptState(KVStoreError, ValueError):
    """One or more rows contain text that is not valid state.

    ``row_ids`` has the ids of the first twenty at most; ``count`` is the number of all.
    """

    def __init__(self, table: str, row_ids: Iterable[int], count: int, reason: str) -> None:
        self.row_ids = tuple(row_ids)[:NAMED_IDS]
        self.count = count
        named = ", ".join(map(str, self.row_ids))
        super().__init__(
            f"{count} row(s) of {table} contain text that is not valid state (id {named}): {reason}. "
            "The rows were not changed; correct or empty them in the database."
        )


class StateMoved(KVStoreError, ValueError):
    """The row is not at the version that the write expected, because of another write in between."""

    def __init__(self, expected: int, found: int) -> None:
        self.expected = expected
        self.found = found
        super().__init__(
            f"The state is at version {found}, expected {expected}. Nothing was stored; reload and try again."
        )


class UnrecordedWrite(KVStoreError, TypeError):
    """A write that would change learners' state without making a version."""


class HistoryNotInstalled(KVStoreError, LookupError):
    """The history was requested, but the history app is not in INSTALLED_APPS."""


class SaveFailed(Picklable, KeyValueMultiSaveError):
    """The database refused a save. ``saved_field_names`` lists exactly the stored fields."""

    def __init__(self, saved_field_names: Iterable[str], reason: str) -> None:
        super().__init__(list(saved_field_names))
        self.args = (f"Saved {self.saved_field_names}; the other fields were not stored: {reason}",)


class WriteConflict(OperationalError):
    """Locks, deadlocks or an old snapshot prevented the write; nothing was stored. Try the request again."""
