"""Undoes a change of a row while it keeps the changes made afterwards, field by field. Reads no database."""

from __future__ import annotations

from typing import Any

from history.comparison.json_diff import StateComparer
from kvstore.versioning import codec
from kvstore.versioning.versions import Values

NO_ROW = Values(None, None, None)
"""the values of a row that does not exist"""

GRADE = "(grade)"
"""names the grade among conflicting fields; it contains parentheses, so no XBlock field has this name"""


class Conflict(Exception):
    """The same fields, or the grade, were changed afterwards."""

    def __init__(self, fields: list[str]) -> None:
        super().__init__(fields)
        self.fields = fields


class UnreadableState(Exception):
    """A state that the merge needs is not a JSON object."""


def undo(present: Values, before: Values, after: Values, *, keep_grade: bool) -> Values:
    """Return the present values without the change from ``before`` to ``after``.

    A field, or the grade with its maximum, that the change touched gets its value before the change. If it has neither
    this value nor the one after the change at present, it was changed afterwards: raises Conflict. All other fields
    keep their present values. Raises UnreadableState.
    """
    conflicts: list[str] = []
    state = _undo_state(present.state, before.state, after.state, conflicts)
    grade = present[1:]
    if not keep_grade and before[1:] != after[1:] and present[1:] != before[1:]:
        grade = before[1:]
        if present[1:] != after[1:]:
            conflicts.append(GRADE)
    if conflicts:
        raise Conflict(conflicts)
    return Values(state, *grade)


def _undo_state(present: str | None, before: str | None, after: str | None, conflicts: list[str]) -> str | None:
    old = _fields(before)
    if present == after:
        # Nothing was changed afterwards. The state after the change need not be readable.
        return before
    now, new = _fields(present), _fields(after)
    touched = _changed(old, new)
    to_undo = touched & _changed(now, old)
    conflicts += sorted(to_undo & _changed(now, new))
    if not to_undo:
        return present
    merged = {name: value for name, value in now.items() if name not in to_undo or name in old}
    merged |= {name: old[name] for name in to_undo if name in old}
    return before if not _changed(merged, old) else codec.dumps(merged)


def differs(one: Values, other: Values) -> bool:
    """Return whether two values differ in a field of the state, or in the grade; unreadable states, in their text."""
    if one.state == other.state or one[1:] != other[1:]:
        return one[1:] != other[1:]
    try:
        return bool(_changed(_fields(one.state), _fields(other.state)))
    except UnreadableState:
        return True


def _fields(state: str | None) -> dict[str, Any]:
    try:
        return codec.loads_state(state)
    except ValueError as error:
        raise UnreadableState(str(error)) from error


def _changed(old: dict[str, Any], new: dict[str, Any]) -> set[str]:
    """Return the names of the fields that differ, type-strictly and at any depth."""
    return {field.name for field in StateComparer(0).fields(old, new)}
