"""What changed between two stored states: type-strict, at any depth, and no more of it than a page takes."""

from dataclasses import dataclass
from typing import Any

from history.comparison.json_diff import ChangedField, FieldChange, Kind, StateComparer
from kvstore.versioning import codec

LIMIT = 200
"""changes that a difference holds, if nobody asks for more or fewer"""


@dataclass(frozen=True, slots=True)
class Difference:
    """What changed from an older state to a newer one."""

    changes: tuple[FieldChange, ...]
    """at most as many as asked for; fields by name, and inside them objects by name and lists by position"""
    count: int
    """of all changes; an object or list that came or went as a whole is one"""
    fields: tuple[ChangedField, ...]
    """every field that differs, by name; none where a state cannot be read"""
    older_error: str = ""
    """why the older state cannot be read, if it cannot; then the texts were compared, as one value"""
    newer_error: str = ""
    emptied: bool = False
    """whether the older state had fields and the newer has none"""

    @property
    def readable(self) -> bool:
        """Whether both states could be read, so that their fields were compared."""
        return not (self.older_error or self.newer_error)

    def changed_fields(self) -> dict[str, Kind]:
        """Return the fields that differ and what became of each, by name in order."""
        return {field.name: field.kind for field in self.fields}

    def __bool__(self) -> bool:
        return self.count > 0


def diff(older: str | None, newer: str | None, *, limit: int = LIMIT) -> Difference:
    """Compare two states as they are stored; None, for never seen or deleted, has no fields.

    1, true, 1.0 and "1" all differ, and so do 0.0 and -0.0; the order of an object's names does not matter, and of a
    name that it has twice the last counts. Lists are compared by position, leaving out what they begin and end with
    in common where one is longer. A state that is no JSON object, too deep, or has a number too long to be read, is
    compared as text. Raises nothing, whatever the texts hold.
    """
    old, older_error = _fields(older)
    new, newer_error = (old, older_error) if newer == older else _fields(newer)
    if older_error or newer_error:
        changes = _of_texts(older, newer)
        return Difference(changes[: max(limit, 0)], len(changes), (), older_error, newer_error)
    walk = StateComparer(limit)
    fields = () if old is new else tuple(walk.fields(old, new))
    return Difference(tuple(walk.changes), walk.count, fields, emptied=bool(old) and not new)


def _fields(text: str | None) -> tuple[dict[str, Any], str]:
    """Return a state's fields, and why it cannot be read if it cannot."""
    try:
        return codec.loads_state(text), ""
    except ValueError as error:
        return {}, str(error)


def _of_texts(older: str | None, newer: str | None) -> tuple[FieldChange, ...]:
    if older == newer:
        return ()
    kind = Kind.ADDED if older is None else Kind.REMOVED if newer is None else Kind.CHANGED
    return (FieldChange((), kind, older, newer),)
