"""Compares two parsed states without recursion.

States may have a megabyte. So this module uses plain tuples, and creates none for equal scalars.
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from django.db.models import TextChoices
from django.utils.translation import pgettext_lazy

from history.comparison.formatting import Path, format_changed_value, format_path, format_value

MAX_ALIGNMENT_STEPS = 300_000
"""comparisons made to find the common ends of lists; after these, elements are compared by position"""

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
        """The older value as text; empty if it was added.

        Of a long text, the part around the first difference from the newer text.
        """
        return "" if self.kind == ChangeKind.ADDED else self._text(self.old, self.new)

    @property
    def new_text(self) -> str:
        """The newer value as text; empty if it was removed."""
        return "" if self.kind == ChangeKind.REMOVED else self._text(self.new, self.old)

    def _text(self, value: Any, other: Any) -> str:
        return format_changed_value(value, other) if self.kind == ChangeKind.CHANGED else format_value(value)


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
        lost_items = False
        if _are_containers(field):
            for pair in self._inside(field):
                lost_items = lost_items or pair[2] is REMOVED or _emptied(pair[3], pair[4])
                self._descend(pair)
        else:
            self._record(field)
        if self.count == before:
            return None
        return ChangedField(str(name), kind, kind is CHANGED and _emptied(old, new), lost_items, _decreased(old, new))

    def _descend(self, pair: Candidate) -> None:
        """Record the changes inside two containers, or the change of other values."""
        if not _are_containers(pair):
            self._record(pair)
            return
        # Candidates are generated one at a time: a list of all would take most of the time.
        stack = [self._inside(pair)]
        while stack:
            for candidate in stack[-1]:
                if _are_containers(candidate):
                    stack.append(self._inside(candidate))
                    break
                self._record(candidate)
            else:
                stack.pop()

    def _inside(self, pair: Candidate) -> Iterator[Candidate]:
        """Yield the candidates inside two containers of the same type."""
        link, old, new = (pair[0], pair[1]), pair[3], pair[4]
        return _in_objects(link, old, new) if type(old) is dict else self._in_lists(link, old, new)

    def _in_lists(self, link: ParentPath, old: list[Any], new: list[Any]) -> Iterator[Candidate]:
        start, tail = self._in_common(old, new) if len(old) != len(new) else (0, 0)
        old_end, new_end = len(old) - tail, len(new) - tail
        shared = min(old_end, new_end)
        for index in range(start, shared):
            if not _equal_without_descending(old[index], new[index]):
                yield link, index, CHANGED, old[index], new[index]
        for index in range(shared, old_end):
            yield link, index, REMOVED, old[index], None
        for index in range(shared, new_end):
            yield link, index, ADDED, None, new[index]

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


def _are_containers(pair: Candidate) -> bool:
    """Return whether both values are objects, or both are lists. Values from json.loads have no subclasses."""
    kind = type(pair[3])
    return kind is type(pair[4]) and (kind is dict or kind is list)


def _in_objects(link: ParentPath, old: dict[str, Any], new: dict[str, Any]) -> Iterator[Candidate]:
    names = [name for name, value in old.items() if name not in new or not _equal_without_descending(value, new[name])]
    names += [name for name in new if name not in old]
    names.sort()
    for name in names:
        if name not in new:
            yield link, name, REMOVED, old[name], None
        elif name not in old:
            yield link, name, ADDED, None, new[name]
        else:
            yield link, name, CHANGED, old[name], new[name]


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
