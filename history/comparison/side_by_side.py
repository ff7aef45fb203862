"""Two indented states side by side: lines that differ, with context."""

import difflib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

CONTEXT = 3
"""equal lines around a difference"""
MAX_LINES = 400
MAX_LINE = 500
"""characters"""


class Line(NamedTuple):
    """A line of both states; ``kind`` is same, changed, removed, added or skipped."""

    kind: str
    left: str
    right: str


def side_by_side(older: Sequence[str], newer: Sequence[str]) -> Iterator[Line]:
    """Yield up to MAX_LINES lines that differ, with context; then a skipped line if there are more."""
    left, right = ([line[:MAX_LINE] for line in lines] for lines in (older, newer))
    count = 0
    for number, group in enumerate(_match(left, right, _without_comma).get_grouped_opcodes(CONTEXT)):
        if number:
            yield Line("skipped", "", "")
        for kind, i1, i2, j1, j2 in group:
            for line in _pair(kind, left[i1:i2], right[j1:j2]):
                yield line
                count += 1
                if count == MAX_LINES:
                    yield Line("skipped", "", "")
                    return


def _pair(kind: str, left: Sequence[str], right: Sequence[str]) -> Iterator[Line]:
    if kind == "equal":
        yield from (Line("same", *pair) for pair in zip(left, right, strict=True))
        return
    # Lines of the same field are paired; other lines are removed or added.
    for part, i1, i2, j1, j2 in _match(left, right, _name).get_opcodes():
        if part == "equal":
            for one, other in zip(left[i1:i2], right[j1:j2], strict=True):
                yield Line("same" if _without_comma(one) == _without_comma(other) else "changed", one, other)
        else:
            yield from (Line("removed", line, "") for line in left[i1:i2])
            yield from (Line("added", "", line) for line in right[j1:j2])


def _match(left: Sequence[str], right: Sequence[str], key: Callable[[str], str]) -> difflib.SequenceMatcher[str]:
    return difflib.SequenceMatcher(None, list(map(key, left)), list(map(key, right)))


def _name(line: str) -> str:
    """Return the indented field name of a line of an object, or a complete line of a list."""
    name, colon, _value = line.partition('": ')
    return name if colon else _without_comma(line)


def _without_comma(line: str) -> str:
    # A comma depends on the next line.
    return line.removesuffix(",")
