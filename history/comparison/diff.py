"""The difference between two stored states: type-strict, at any depth, with a limited number of changes."""

from dataclasses import dataclass
from typing import Any

from history.comparison.json_diff import ChangedField, ChangeKind, FieldChange, StateComparer
from kvstore.versioning import codec

LIMIT = 200
"""the default number of changes in a difference"""

MAX_VALUES = 200_000
"""in both states together; states with more are compared as text, because parsing alone can take many seconds"""


@dataclass(frozen=True, slots=True)
class Difference:
    """The changes from an older state to a newer one."""

    changes: tuple[FieldChange, ...]
    """at most ``limit`` changes, sorted by field, and inside a field by name or position"""
    count: int
    """the number of all changes; an added or removed object or list counts as one"""
    fields: tuple[ChangedField, ...]
    """every field that differs, sorted by name; empty if a state cannot be parsed"""
    older_error: str = ""
    """why the older state cannot be parsed, or empty; with an error, the texts were compared as one value"""
    newer_error: str = ""
    """the same for the newer state"""
    has_too_many_values: bool = False
    """whether the states have more than MAX_VALUES values, so that the texts were compared as one value"""
    emptied: bool = False
    """whether the older state has fields and the newer has none"""

    @property
    def readable(self) -> bool:
        """Whether both states are JSON objects that were parsed, so that their fields were compared."""
        return not (self.older_error or self.newer_error or self.has_too_many_values)

    def changed_fields(self) -> dict[str, ChangeKind]:
        """Return the kind of change of every field that differs, sorted by name."""
        return {field.name: field.kind for field in self.fields}

    def __bool__(self) -> bool:
        return self.count > 0


def diff(older: str | None, newer: str | None, *, limit: int = LIMIT) -> Difference:
    """Compare two stored states. None (never seen, or deleted) has no fields.

    1, true, 1.0 and "1" all differ, and so do 0.0 and -0.0. The order of names in an object does not matter; the last
    of duplicate names counts. Lists are compared by position; if their lengths differ, equal elements at both ends are
    skipped first. A state that is not a JSON object, is nested too deeply, or contains a number too long to parse is
    compared as text, and so are two states with more than MAX_VALUES values. Accepts any text without raising.
    """
    if _most_values(older) + (_most_values(newer) if newer != older else 0) > MAX_VALUES:
        return _of_large_states(older, newer, limit)
    old, older_error = _fields(older)
    new, newer_error = (old, older_error) if newer == older else _fields(newer)
    if older_error or newer_error:
        changes = _of_texts(older, newer)
        return Difference(changes[: max(limit, 0)], len(changes), (), older_error, newer_error)
    comparer = StateComparer(limit)
    fields = () if old is new else tuple(comparer.fields(old, new))
    return Difference(tuple(comparer.changes), comparer.count, fields, emptied=bool(old) and not new)


def _fields(text: str | None) -> tuple[dict[str, Any], str]:
    """Return a state's fields, and why it cannot be parsed, or an empty string."""
    try:
        return codec.loads_state(text), ""
    except ValueError as error:
        return {}, str(error)


def _most_values(text: str | None) -> int:
    """Return an upper bound of the number of values in a JSON text."""
    return 0 if text is None else sum(map(text.count, ",[{"))


def _of_large_states(older: str | None, newer: str | None, limit: int) -> Difference:
    changes = _of_texts(older, newer)
    # Flags need to find a large state that was emptied or overwritten.
    fields, newer_error = _fields(newer) if _most_values(newer) <= MAX_VALUES else ({"": None}, "")
    return Difference(
        changes[: max(limit, 0)],
        len(changes),
        (),
        newer_error=newer_error,
        has_too_many_values=True,
        emptied=not (fields or newer_error),
    )


def _of_texts(older: str | None, newer: str | None) -> tuple[FieldChange, ...]:
    if older == newer:
        return ()
    kind = ChangeKind.ADDED if older is None else ChangeKind.REMOVED if newer is None else ChangeKind.CHANGED
    return (FieldChange((), kind, older, newer),)
