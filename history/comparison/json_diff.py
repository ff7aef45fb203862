"""Compares two parsed states without recursion.

States may have a megabyte. So this module uses plain tuples, and creates none for equal scalars.
"""

import math
from operator import itemgetter
from typing import Any, NamedTuple

from django.db.models import TextChoices
from django.utils.translation import pgettext_lazy

from history.comparison.formatting import Path, first_difference, format_path, format_value

MAX_ALIGNMENT_STEPS = 300_000
"""comparisons made to find the common ends of lists; after these, elements are compared by position"""

BEFORE_DIFFERENCE = 100
"""characters of a long string before its first difference"""

NOTHING: tuple[Any, ...] = ({}, [], "", None)


class ChangeKind(TextChoices):
    """Whether a value was added, removed or changed."""

    ADDED = "added", pgettext_lazy("value", "added")
    REMOVED = "removed", pgettext_lazy("value", "removed")
    CHANGED = "changed", pgettext_lazy("value", "changed")


class FieldChange(NamedTuple):
    """A value that differs between two states."""

    path: Path
    """A value removed from a list has its position in the older list, any other its position in the newer one."""
    kind: ChangeKind
    old: Any
    """The value as plain JSON types; None if it was added, and also for null: see ``kind``."""
    new: Any

    @property
    def path_text(self) -> str:
        """The path as text, such as ``student_answers.i4x_1[2]``."""
        return format_path(self.path)

    @property
    def old_text(self) -> str:
        """The older value from :func:`history.comparison.formatting.format_value`; empty if it was added.

        Of a long string, the part around the first difference from the newer string.
        """
        return "" if self.kind == ChangeKind.ADDED else format_value(self._from_difference(self.old))

    @property
    def new_text(self) -> str:
        """The newer value from :func:`history.comparison.formatting.format_value`; empty if it was removed."""
        return "" if self.kind == ChangeKind.REMOVED else format_value(self._from_difference(self.new))

    def _from_difference(self, value: Any) -> Any:
        if not (isinstance(self.old, str) and isinstance(self.new, str)):
            return value
        start = first_difference(self.old, self.new) - BEFORE_DIFFERENCE
        return f"…{value[start:]}" if start > 0 else value


class ChangedField(NamedTuple):
    """The change of a field as a whole, without its values, which may be large."""

    name: str
    kind: ChangeKind
    emptied: bool
    """whether a non-empty object, list or string became empty or null"""
    lost_items: bool
    """whether a value directly inside was removed or became empty or null"""
    decreased: bool
    """whether a number became smaller, became null or was removed"""


ParentPath = tuple[Any, str | int] | None
"""A linked list: the path of the container, and the name or position in it. Complete paths would need more memory."""
Candidate = tuple[ParentPath, str | int, ChangeKind, Any, Any]
"""The path of the container, a name or position in it, and the two values there, which are not equal scalars"""

ADDED, REMOVED, CHANGED = ChangeKind.ADDED, ChangeKind.REMOVED, ChangeKind.CHANGED


class StateComparer:
    """Compares states depth first, objects by name and lists by position, and collects up to ``limit`` changes."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.count = 0
        self.changes: list[FieldChange] = []
        self._steps_left = MAX_ALIGNMENT_STEPS

    def fields(self, old: dict[str, Any], new: dict[str, Any]) -> list[ChangedField]:
        """Return the fields that differ, sorted by name."""
        fields = map(self._field, _in_objects(None, old, new))
        return [field for field in fields if field is not None]

    def _field(self, field: Candidate) -> ChangedField | None:
        before = self.count
        _, name, kind, old, new = field
        top = (None, name)
        inside = self._inside(top, field)
        if inside is None:
            self._record(field)
        else:
            self._descend(inside)
        if self.count == before:
            return None
        emptied = kind is CHANGED and _emptied(old, new)
        lost_items = inside is not None and any(_emptied(pair[3], pair[4]) or pair[2] is REMOVED for pair in inside)
        return ChangedField(str(name), kind, emptied, lost_items, _decreased(old, new))

    def _descend(self, pairs: list[Candidate]) -> None:
        stack = pairs[::-1]
        while stack:
            pair = stack.pop()
            inside = self._inside((pair[0], pair[1]), pair)
            if inside is None:
                self._record(pair)
            elif inside:
                inside.reverse()
                stack += inside

    def _inside(self, link: ParentPath, pair: Candidate) -> list[Candidate] | None:
        """Return the candidates inside two containers; None if the values are not containers of the same type."""
        _, _, kind, old, new = pair
        # The values come from json.loads, so their types have no subclasses.
        if kind is not CHANGED or type(old) is not type(new):
            return None
        if type(old) is dict:
            return _in_objects(link, old, new)
        if type(old) is list:
            return self._in_lists(link, old, new)
        return None

    def _in_lists(self, link: ParentPath, old: list[Any], new: list[Any]) -> list[Candidate]:
        start, tail = self._in_common(old, new) if len(old) != len(new) else (0, 0)
        old_end, new_end = len(old) - tail, len(new) - tail
        shared = min(old_end, new_end)
        pairs: list[Candidate] = [
            (link, index, CHANGED, old[index], new[index])
            for index in range(start, shared)
            if not _equal_without_descending(old[index], new[index])
        ]
        pairs += [(link, index, REMOVED, old[index], None) for index in range(shared, old_end)]
        pairs += [(link, index, ADDED, None, new[index]) for index in range(shared, new_end)]
        return pairs

    def _in_common(self, old: list[Any], new: list[Any]) -> tuple[int, int]:
        """Return the number of equal elements at the beginning, and at the end, of two lists of different lengths."""
        shorter = min(len(old), len(new))
        start = tail = 0
        while start < shorter and self._same(old[start], new[start]):
            start += 1
        while tail < shorter - start and self._same(old[-1 - tail], new[-1 - tail]):
            tail += 1
        return start, tail

    def _same(self, old: Any, new: Any) -> bool:
        """Return whether values are equal at every depth. Returns False after MAX_ALIGNMENT_STEPS comparisons."""
        stack = [(old, new)]
        while stack:
            one, other = stack.pop()
            self._steps_left -= 1
            if self._steps_left < 0 or type(one) is not type(other):
                return False
            if _equal_without_descending(one, other):
                continue
            if type(one) is dict and one.keys() == other.keys():
                stack += [(value, other[name]) for name, value in one.items()]
            elif type(one) is list and len(one) == len(other):
                stack += zip(one, other, strict=True)
            else:
                return False
        return True

    def _record(self, pair: Candidate) -> None:
        self.count += 1
        if self.count <= self.limit:
            parent, step, kind, old, new = pair
            self.changes.append(FieldChange(_path((parent, step)), kind, old, new))


def _in_objects(link: ParentPath, old: dict[str, Any], new: dict[str, Any]) -> list[Candidate]:
    changed = [name for name, value in old.items() if name in new and not _equal_without_descending(value, new[name])]
    pairs: list[Candidate] = [(link, name, CHANGED, old[name], new[name]) for name in changed]
    pairs += [(link, name, REMOVED, value, None) for name, value in old.items() if name not in new]
    pairs += [(link, name, ADDED, None, value) for name, value in new.items() if name not in old]
    # By name alone: values cannot always be compared.
    pairs.sort(key=itemgetter(1))
    return pairs


def _equal_without_descending(old: Any, new: Any) -> bool:
    """Return whether values are equal scalars, or both empty. After False, containers may still be equal."""
    if old is new:
        return True
    kind = type(old)
    if kind is not type(new):
        return False
    if kind is dict or kind is list:
        return not (old or new)
    return bool(old == new) and (kind is not float or math.copysign(1, old) == math.copysign(1, new))


def _emptied(old: Any, new: Any) -> bool:
    """Return whether a non-empty object, list or string became empty or null, or was removed."""
    return isinstance(old, (dict, list, str)) and bool(old) and new in NOTHING


def _decreased(old: Any, new: Any) -> bool:
    return _is_number(old) and (new is None or (_is_number(new) and new < old))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _path(link: ParentPath) -> Path:
    steps: list[str | int] = []
    while link is not None:
        link, step = link
        steps.append(step)
    return tuple(reversed(steps))
