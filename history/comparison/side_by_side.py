"""Two indented states side by side: lines that differ, with context."""

import difflib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from history.comparison.formatting import first_difference

CONTEXT = 3
"""equal lines around a difference"""
MAX_LINES = 400
MAX_LINE = 500
"""characters"""
BEFORE_CHANGE = 100
"""characters of a long line before its first difference"""
MAX_MATCHES = 200_000
"""pairs of equal lines; difflib takes seconds to align more of them"""


Operation = tuple[str, int, int, int, int]
"""difflib's operation: equal, replace, delete or insert, and two ranges of lines"""


class Line(NamedTuple):
    """A line of both states; ``kind`` is same, changed, removed, added or skipped."""

    kind: str
    left: str
    right: str


def side_by_side(older: Sequence[str], newer: Sequence[str]) -> Iterator[Line]:
    """Yield up to MAX_LINES lines that differ, with context; then a skipped line if there are more.

    Complete lines are compared. Of a long line, the part around its first difference is returned, with an ellipsis
    where characters are omitted. States with too many equal lines to align are compared line by line.
    """
    count = 0
    for number, group in enumerate(_groups(older, newer)):
        if number:
            yield Line("skipped", "", "")
        for kind, i1, i2, j1, j2 in group:
            for line in _pair(kind, older[i1:i2], newer[j1:j2]):
                yield _shortened(line)
                count += 1
                if count == MAX_LINES:
                    yield Line("skipped", "", "")
                    return


def _groups(older: Sequence[str], newer: Sequence[str]) -> Iterable[Sequence[Operation]]:
    matcher = _match(older, newer, _without_comma)
    if matcher is None:
        matcher = difflib.SequenceMatcher(None, [], [])
        # get_grouped_opcodes() reads them from here once they are computed.
        matcher.opcodes = list(_by_position(older, newer))  # type: ignore[attr-defined]
    return matcher.get_grouped_opcodes(CONTEXT)


def _by_position(older: Sequence[str], newer: Sequence[str]) -> Iterator[Operation]:
    """Yield operations that align lines by their positions."""
    shared, begin = min(len(older), len(newer)), 0
    equal = [_without_comma(older[index]) == _without_comma(newer[index]) for index in range(shared)]
    for index in range(1, shared + 1):
        if index == shared or equal[index] != equal[begin]:
            yield "equal" if equal[begin] else "replace", begin, index, begin, index
            begin = index
    if len(older) != len(newer):
        yield "replace", shared, len(older), shared, len(newer)


def _pair(kind: str, left: Sequence[str], right: Sequence[str]) -> Iterator[Line]:
    if kind == "equal":
        yield from (Line("same", *pair) for pair in zip(left, right, strict=True))
        return
    # Lines of the same field are paired; other lines are removed or added.
    matcher = _match(left, right, _name)
    shared = min(len(left), len(right))
    by_position = [("equal", 0, shared, 0, shared), ("replace", shared, len(left), shared, len(right))]
    for part, i1, i2, j1, j2 in matcher.get_opcodes() if matcher else by_position:
        if part == "equal":
            for one, other in zip(left[i1:i2], right[j1:j2], strict=True):
                yield Line("same" if _without_comma(one) == _without_comma(other) else "changed", one, other)
        else:
            yield from (Line("removed", line, "") for line in left[i1:i2])
            yield from (Line("added", "", line) for line in right[j1:j2])


def _match(left: Sequence[str], right: Sequence[str], key: Callable[[str], str]) -> difflib.SequenceMatcher[str] | None:
    """Return a matcher of the lines by key, or None if it would take too long."""
    lefts, rights = list(map(key, left)), list(map(key, right))
    counts = Counter(rights)
    if sum(counts[name] for name in lefts) > MAX_MATCHES:
        return None
    return difflib.SequenceMatcher(None, lefts, rights)


def _name(line: str) -> str:
    """Return the indented field name of a line of an object, or a complete line of a list."""
    name, colon, _value = line.partition('": ')
    return name if colon else _without_comma(line)


def _without_comma(line: str) -> str:
    # A comma depends on the next line.
    return line.removesuffix(",")


def _shortened(line: Line) -> Line:
    if max(len(line.left), len(line.right)) <= MAX_LINE:
        return line
    start = 0
    if line.kind == "changed":
        start = max(0, first_difference(line.left, line.right) - BEFORE_CHANGE)
    return Line(line.kind, *(_part(text, start) for text in (line.left, line.right)))


def _part(text: str, start: int) -> str:
    end = start + MAX_LINE
    return ("…" if start else "") + text[start:end] + ("…" if len(text) > end else "")
