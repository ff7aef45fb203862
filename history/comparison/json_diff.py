"""Going through two parsed states at once, without recursion: what is in one and not the same in the other.

This runs for every value of states of a megabyte, so it makes plain tuples, and none for equal scalars.
"""

import math
from typing import Any, NamedTuple

from django.db.models import TextChoices
from django.utils.translation import pgettext_lazy

from history.comparison.formatting import Path, format_path, format_value

# What the search for elements that moved in a list may cost; beyond it, elements are compared by position.
MAX_ALIGNMENT_STEPS = 300_000

NOTHING: tuple[Any, ...] = ({}, [], "", None)


class Kind(TextChoices):
    """What became of a value."""

    ADDED = "added", pgettext_lazy("value", "added")
    REMOVED = "removed", pgettext_lazy("value", "removed")
    CHANGED = "changed", pgettext_lazy("value", "changed")


class FieldChange(NamedTuple):
    """One value that differs."""

    path: Path
    """What was removed from a list has its older position, everything else its newer one."""
    kind: Kind
    old: Any
    """The plain value; None where it was added, as for null: ``kind`` tells them apart."""
    new: Any

    @property
    def path_text(self) -> str:
        """The path for people, such as ``student_answers.i4x_1[2]``."""
        return format_path(self.path)

    @property
    def old_text(self) -> str:
        """The older value as :func:`history.comparison.formatting.format_value`; empty where there was none."""
        return "" if self.kind == Kind.ADDED else format_value(self.old)

    @property
    def new_text(self) -> str:
        """The newer value as :func:`history.comparison.formatting.format_value`; empty where there is none."""
        return "" if self.kind == Kind.REMOVED else format_value(self.new)


class ChangedField(NamedTuple):
    """What became of a field as a whole; without its values, which may be large."""

    name: str
    kind: Kind
    emptied: bool
    """whether a non-empty object, list or string became empty or null"""
    lost_items: bool
    """whether something that is directly in it was removed, or emptied in the same sense"""
    decreased: bool
    """whether a number became smaller, or gave way to null or to nothing"""


# The way to a value: the way to what it is in, and its name or position there. Whole paths would cost their length.
ParentPath = tuple[Any, str | int] | None
Candidate = tuple[ParentPath, str | int, Kind, Any, Any]
"""What holds a place, which place it is, and the values there, which are not the same scalar"""

ADDED, REMOVED, CHANGED = Kind.ADDED, Kind.REMOVED, Kind.CHANGED


class StateComparer:
    """Compares fields, and gathers the changes, depth first: objects by name, lists by position."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.count = 0
        self.changes: list[FieldChange] = []
        self._steps_left = MAX_ALIGNMENT_STEPS

    def fields(self, old: dict[str, Any], new: dict[str, Any]) -> list[ChangedField]:
        """Return the fields that differ, by name."""
        found = (self._field(pair) for pair in _in_objects(None, old, new))
        return [field for field in found if field is not None]

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
        return ChangedField(str(name), kind, emptied, lost_items, _fell(old, new))

    def _descend(self, pairs: list[Candidate]) -> None:
        waiting = pairs[::-1]
        while waiting:
            pair = waiting.pop()
            inside = self._inside((pair[0], pair[1]), pair)
            if inside is None:
                self._record(pair)
            elif inside:
                inside.reverse()
                waiting += inside

    def _inside(self, link: ParentPath, pair: Candidate) -> list[Candidate] | None:
        """Return the places inside that may differ; None if the values cannot be compared any further."""
        _, _, kind, old, new = pair
        # Only what json.loads makes gets here: no subclasses.
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
        """Return how many elements two lists of different lengths begin with, and end with, in common."""
        shorter = min(len(old), len(new))
        start = tail = 0
        while start < shorter and self._same(old[start], new[start]):
            start += 1
        while tail < shorter - start and self._same(old[-1 - tail], new[-1 - tail]):
            tail += 1
        return start, tail

    def _same(self, old: Any, new: Any) -> bool:
        """Return whether values are the same, at every depth; False too once finding out has cost too much."""
        waiting = [(old, new)]
        while waiting:
            one, other = waiting.pop()
            self._steps_left -= 1
            if self._steps_left < 0 or type(one) is not type(other):
                return False
            if _equal_without_descending(one, other):
                continue
            if type(one) is dict and one.keys() == other.keys():
                waiting += [(value, other[name]) for name, value in one.items()]
            elif type(one) is list and len(one) == len(other):
                waiting += zip(one, other, strict=True)
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
    # No two have the same name, so the values are never compared.
    pairs.sort(key=_place)
    return pairs


def _place(pair: Candidate) -> Any:
    return pair[1]


def _equal_without_descending(old: Any, new: Any) -> bool:
    """Return whether values are the same scalar, or both empty; False leaves open whether they are the same."""
    if old is new:
        return True
    kind = type(old)
    if kind is not type(new):
        return False
    if kind is dict or kind is list:
        return not (old or new)
    return bool(old == new) and (kind is not float or math.copysign(1, old) == math.copysign(1, new))


def _emptied(old: Any, new: Any) -> bool:
    """Return whether a non-empty object, list or string is empty, null or gone."""
    return isinstance(old, (dict, list, str)) and bool(old) and new in NOTHING


def _fell(old: Any, new: Any) -> bool:
    return _is_number(old) and (new is None or (_is_number(new) and new < old))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _path(link: ParentPath) -> Path:
    steps: list[str | int] = []
    while link is not None:
        link, step = link
        steps.append(step)
    return tuple(reversed(steps))
