"""Two indented states side by side: lines that differ, with context and with their changed words."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import NamedTuple

from history.comparison.alignment import EQUAL, UNALIGNED, StepLimit, align
from history.comparison.words import SAME, Limits, Part, compare_words, shortened

CONTEXT = 3
"""equal lines around a difference"""
MAX_LINES = 400
MAX_LINE = 500
"""characters"""
MAX_STEPS = 400_000
"""to align lines; lines that are not aligned within these are compared by position"""

WHOLE_LINE = Limits(places=MAX_LINE, context=MAX_LINE, change=MAX_LINE, compared=MAX_LINE, steps=2_000)
PART_OF_LINE = Limits(places=5, context=50, change=150, compared=20_000, steps=20_000, beginning=60)
"""The beginning of a line contains the name of its field."""
STEPS_OF_WORDS = 400_000
"""to compare the words of all changed lines"""


class Line(NamedTuple):
    """A line of both states; ``kind`` is same, changed, removed or added."""

    kind: str
    left: str
    right: str


class DisplayedLine(NamedTuple):
    """A line for a page; ``kind`` is that of Line, or skipped for ``omitted`` equal lines, or for the rest."""

    kind: str
    left: Sequence[Part] = ()
    right: Sequence[Part] = ()
    omitted: int = 0


class SideBySide(NamedTuple):
    """The lines that differ, with context."""

    lines: Sequence[DisplayedLine]
    more_lines: int
    """the number of lines that differ and are not shown"""
    is_aligned: bool
    """whether all lines were aligned; else some were compared by position"""
    is_cut: bool
    """whether a line is not shown completely"""


def side_by_side(older: Sequence[str], newer: Sequence[str]) -> SideBySide:
    """Compare complete lines, and return up to MAX_LINES lines that differ, with context.

    Of a long line, only the changed words are returned, with context. The time is limited for any states.
    """
    limit = StepLimit(MAX_STEPS)
    lines = list(compare_lines(older, newer, limit))
    changed = [index for index, line in enumerate(lines) if line.kind != "same"]
    near = {index for center in changed[:MAX_LINES] for index in range(center - CONTEXT, center + CONTEXT + 1)}
    shown = [index for index in sorted(near) if 0 <= index < len(lines)][:MAX_LINES]
    displayed = list(_displayed(lines, shown))
    more_lines = sum(index > shown[-1] for index in changed) if shown else 0
    is_cut = any(part.omitted for line in displayed for part in (*line.left, *line.right))
    return SideBySide(displayed, more_lines, limit.left >= 0, is_cut)


def compare_lines(older: Sequence[str], newer: Sequence[str], limit: StepLimit) -> Iterator[Line]:
    """Yield the lines of both states."""
    for kind, i1, i2, j1, j2 in align(_without_commas(older), _without_commas(newer), limit):
        left, right = older[i1:i2], newer[j1:j2]
        if kind == EQUAL:
            yield from (Line("same", *pair) for pair in zip(left, right, strict=True))
        elif kind == UNALIGNED:
            yield from _by_position(left, right)
        else:
            yield from _by_name(left, right, limit)


def _by_name(left: Sequence[str], right: Sequence[str], limit: StepLimit) -> Iterator[Line]:
    """Yield different lines: those of the same field as changed, and those of equally long lists of values."""
    for kind, i1, i2, j1, j2 in align([*map(_name, left)], [*map(_name, right)], limit):
        lefts, rights = left[i1:i2], right[j1:j2]
        are_paired = len(lefts) == len(rights) and all(map(_is_item, (*lefts, *rights)))
        if kind != "different" or are_paired:
            yield from _by_position(lefts, rights)
        else:
            yield from (Line("removed", line, "") for line in lefts)
            yield from (Line("added", "", line) for line in rights)


def _by_position(left: Sequence[str], right: Sequence[str]) -> Iterator[Line]:
    for old, new in zip_longest(left, right):
        if old is None or new is None:
            yield Line("removed", old, "") if new is None else Line("added", "", new)
        else:
            yield Line("same" if _without_comma(old) == _without_comma(new) else "changed", old, new)


def _name(line: str) -> str:
    """Return the indented field name of a line of an object, or a complete line of a list."""
    name, colon, _value = line.partition('": ')
    return name if colon else _without_comma(line)


def _is_item(line: str) -> bool:
    """Return whether a line is a scalar of a list."""
    text = line.lstrip()
    return '": ' not in text and text[:1] not in ("", "{", "}", "[", "]")


def _without_commas(lines: Sequence[str]) -> list[str]:
    return [_without_comma(line) for line in lines]


def _without_comma(line: str) -> str:
    # A comma depends on the next line.
    return line.removesuffix(",")


def _comma(line: str) -> Sequence[Part]:
    return [Part(SAME, ",")] if line.endswith(",") else []


def _displayed(lines: Sequence[Line], shown: Sequence[int]) -> Iterator[DisplayedLine]:
    count = sum(lines[index].kind == "changed" for index in shown)
    steps = STEPS_OF_WORDS // max(count, 1)
    following = 0
    for index in shown:
        if index > following:
            yield DisplayedLine("skipped", omitted=index - following)
        yield _displayed_line(lines[index], steps)
        following = index + 1
    if shown and following < len(lines):
        yield DisplayedLine("skipped", omitted=len(lines) - following)


def _displayed_line(line: Line, steps: int) -> DisplayedLine:
    kind, left, right = line
    if kind == "changed":
        limits = WHOLE_LINE if max(len(left), len(right)) <= MAX_LINE else PART_OF_LINE
        limits = limits._replace(steps=min(limits.steps, steps))
        words = compare_words(_without_comma(left), _without_comma(right), limits)
        return DisplayedLine(kind, [*words.old, *_comma(left)], [*words.new, *_comma(right)])
    # The kind of the line marks it as removed or added.
    parts = [list(shortened(SAME, text, MAX_LINE, str)) for text in (left, right)]
    return DisplayedLine(kind, parts[0], parts[1])
