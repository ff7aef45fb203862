"""Compares two texts word by word, and selects the changed words with context."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from history.comparison.alignment import EQUAL, UNALIGNED, Range, StepLimit, align
from history.comparison.formatting import first_difference

SAME, REMOVED, ADDED, UNCHANGED, HIDDEN = "same", "removed", "added", "unchanged", "hidden"

LONG_WORD = 40
"""characters; longer words are compared character by character"""
MIN_OMITTED = 40
"""a shorter text is shown completely"""
MINOR = 6
"""characters between two changes that are shown as one change, if fewer than three of them are letters or digits"""

# Scripts without spaces between words are compared character by character.
WITHOUT_SPACES = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\ua4cf\uf900-\ufaff\U00020000-\U0003ffff"
TOKEN = re.compile(rf"-?\d+(?:\.\d+)?(?!\w)|[^\W{WITHOUT_SPACES}]+|\s+|.", re.DOTALL)
END_OF_WORD, BEGIN_OF_WORD = re.compile(rf"\w{{1,{LONG_WORD}}}\Z"), re.compile(rf"\w{{1,{LONG_WORD}}}")
# Readers overlook changed spaces that are not between words.
OVERLOOKED_SPACES = re.compile(r"^ +$|  +")


class Part(NamedTuple):
    """A part of a displayed text.

    ``kind`` is SAME, REMOVED or ADDED, with a text; or UNCHANGED (omitted, and equal in both texts) or HIDDEN (omitted,
    and different or not compared), with the number of omitted characters.
    """

    kind: str
    text: str
    omitted: int = 0


class Limits(NamedTuple):
    """The limits of the comparison of two texts. Except for steps and places, they count characters."""

    places: int
    """changed places that are shown"""
    context: int
    """on each side of a changed place"""
    change: int
    """of a removed or added text"""
    compared: int
    """between the first and the last difference"""
    steps: int
    beginning: int = 0
    """of the text; shown also if the first changed place is far away"""


class Place(NamedTuple):
    """A text of both, or the two texts at a changed place."""

    is_equal: bool
    old: str
    new: str


class WordDifference(NamedTuple):
    """Two texts as parts for display."""

    old: Sequence[Part]
    new: Sequence[Part]
    shown: Sequence[Place] = ()
    """the changed places among the parts"""
    more_places: int = 0
    """the number of changed places that are not shown"""
    is_complete: bool = True
    """whether all words were compared"""


def compare_words(old: str, new: str, limits: Limits, escape: Callable[[str], str] = str) -> WordDifference:
    """Compare two texts, and return up to ``limits.places`` changed places with context.

    ``escape`` is applied to the displayed texts.
    """
    places, is_complete = _places(old, new, limits)
    left: list[Part] = []
    right: list[Part] = []
    shown: list[Place] = []
    for index, place in enumerate(places):
        if place.is_equal:
            # Both sides have the same text, so they omit the same characters.
            context = limits.context if index else limits.beginning, limits.context if index < len(places) - 1 else 0
            parts = list(_context(place.old, *context, escape))
            left += parts
            right += parts
        elif len(shown) < limits.places:
            shown.append(place)
            left += shortened(REMOVED, place.old, limits.change, escape)
            right += shortened(ADDED, place.new, limits.change, escape)
        else:
            left += _omitted(HIDDEN, sum(len(rest.old) for rest in places[index:]))
            right += _omitted(HIDDEN, sum(len(rest.new) for rest in places[index:]))
            break
    changed = sum(not place.is_equal for place in places)
    return WordDifference(left, right, shown, changed - len(shown), is_complete)


def shortened(kind: str, text: str, limit: int, escape: Callable[[str], str]) -> Iterator[Part]:
    """Yield up to ``limit`` characters of a text, counted after ``escape``, and the number of the other characters."""
    end = len(text) if len(text) <= limit + MIN_OMITTED else limit
    while end and len(escape(text[:end])) > limit + MIN_OMITTED:
        end //= 2
    if end:
        shown = escape(text[:end])
        yield Part(kind, shown if kind == SAME else OVERLOOKED_SPACES.sub(_visible_spaces, shown))
    yield from _omitted(HIDDEN, len(text) - end)


def _visible_spaces(match: re.Match[str]) -> str:
    return "␣" * len(match[0])


def _omitted(kind: str, count: int) -> Iterator[Part]:
    if count:
        yield Part(kind, "", count)


def _context(text: str, after: int, before: int, escape: Callable[[str], str]) -> Iterator[Part]:
    """Yield the characters after the previous place and before the next one, and the number of those between."""
    if len(text) <= after + before + MIN_OMITTED:
        yield Part(SAME, escape(text))
        return
    begin, end = text[:after], text[len(text) - before :]
    # Ends between words.
    begin = begin[: begin.rfind(" ") + 1] or begin
    end = end[end.find(" ") + 1 :] or end
    if begin:
        yield Part(SAME, escape(begin))
    yield from _omitted(UNCHANGED, len(text) - len(begin) - len(end))
    if end:
        yield Part(SAME, escape(end))


def _places(old: str, new: str, limits: Limits) -> tuple[list[Place], bool]:
    """Return the texts as alternately equal and changed places, and whether all words were compared."""
    head, tail = _common_ends(old, new)
    old_middle, new_middle = old[head : len(old) - tail], new[head : len(new) - tail]
    lefts, rights = _tokens(old_middle[: limits.compared]), _tokens(new_middle[: limits.compared])
    ranges = align(lefts, rights, StepLimit(limits.steps))
    is_complete = max(len(old_middle), len(new_middle)) <= limits.compared
    is_complete = is_complete and all(part.kind != UNALIGNED for part in ranges)
    places = [Place(True, old[:head], new[:head])] if head else []
    for is_equal, i1, i2, j1, j2 in _without_minor(ranges, lefts):
        places.append(Place(is_equal, "".join(lefts[i1:i2]), "".join(rights[j1:j2])))
    rest = Place(False, old_middle[limits.compared :], new_middle[limits.compared :])
    if rest.old or rest.new:
        before = places.pop() if places and not places[-1].is_equal else Place(False, "", "")
        places.append(Place(False, before.old + rest.old, before.new + rest.new))
    if tail:
        places.append(Place(True, old[len(old) - tail :], new[len(new) - tail :]))
    return places, is_complete


def _common_ends(old: str, new: str) -> tuple[int, int]:
    """Return the lengths of the common beginning and end, which end between words unless a word is long."""
    head = first_difference(old, new)
    word = END_OF_WORD.search(old, max(0, head - LONG_WORD), head)
    if word and len(word[0]) < LONG_WORD:
        head = word.start()
    tail = first_difference(old[head:][::-1], new[head:][::-1])
    word = BEGIN_OF_WORD.match(old, len(old) - tail)
    if word and len(word[0]) < LONG_WORD:
        tail -= len(word[0])
    return head, tail


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    for token in TOKEN.findall(text):
        if len(token) > LONG_WORD:
            tokens += token
        else:
            tokens.append(token)
    return tokens


def _without_minor(ranges: list[Range], lefts: list[str]) -> list[tuple[bool, int, int, int, int]]:
    """Return the ranges, with changes merged that only a few characters separate."""
    merged: list[tuple[bool, int, int, int, int]] = []
    for index, (kind, i1, i2, j1, j2) in enumerate(ranges):
        is_equal = kind == EQUAL and not (0 < index < len(ranges) - 1 and _is_minor(lefts[i1:i2]))
        if merged and not is_equal and not merged[-1][0]:
            merged[-1] = (False, merged[-1][1], i2, merged[-1][3], j2)
        else:
            merged.append((is_equal, i1, i2, j1, j2))
    return merged


def _is_minor(tokens: list[str]) -> bool:
    if len(tokens) > MINOR:
        return False
    text = "".join(tokens)
    return len(text) <= MINOR and sum(map(str.isalnum, text)) < 3
