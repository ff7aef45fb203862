"""The changes of a difference for a page: changed words with context, and sentences about what is not shown."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from django.utils.translation import gettext, ngettext

from history.comparison.characters import alike_characters, describe, unusual_characters
from history.comparison.formatting import escape_json, json_text
from history.comparison.json_diff import ChangeKind, FieldChange
from history.comparison.words import ADDED, REMOVED, SAME, Limits, Part, WordDifference, compare_words, shortened
from kvstore.staff.text import escape_unprintable

BRIEF = Limits(places=3, context=50, change=150, compared=10_000, steps=4_000)
"""for one of the few changes of a version in a timeline"""
MOST = Limits(places=20, context=100, change=1_500, compared=50_000, steps=100_000)
"""for a change in a short list; many changes share these limits five times"""
LEAST = Limits(places=3, context=50, change=150, compared=2_000, steps=2_000)
"""for each of many changes"""

LONG_INTEGER = 10**100
"""An integer may have thousands of digits; only the changed digits are shown."""


class DisplayedChange(NamedTuple):
    """A change for a page. The texts are escaped for display, not for HTML."""

    kind: ChangeKind
    path: str
    old: Sequence[Part]
    new: Sequence[Part]
    notes: Sequence[str]
    """sentences about omitted changes, and about characters that look alike"""


def displayed_changes(changes: Sequence[FieldChange], *, full: bool = False) -> list[DisplayedChange]:
    """Compare the values of each change. The more changes, the less of each is compared and shown, unless not ``full``.

    The time is limited for any changes.
    """
    limits = _shared(len(changes)) if full else BRIEF
    return [_displayed(change, limits) for change in changes]


def _shared(count: int) -> Limits:
    pairs = zip(LEAST, MOST, strict=True)
    return Limits(*(max(least, min(most, 5 * most // max(count, 1))) for least, most in pairs))


def _displayed(change: FieldChange, limits: Limits) -> DisplayedChange:
    words = _compared(change, limits)
    return DisplayedChange(change.kind, change.path_text, words.old, words.new, list(_notes(change, words)))


def _compared(change: FieldChange, limits: Limits) -> WordDifference:
    old, new = change.old, change.new
    if change.kind != ChangeKind.CHANGED:
        no_parts: list[Part] = []
        is_added = change.kind == ChangeKind.ADDED
        return WordDifference(
            no_parts if is_added else _whole(REMOVED, old, limits),
            _whole(ADDED, new, limits) if is_added else no_parts,
        )
    if isinstance(old, str) and isinstance(new, str):
        words = compare_words(old, new, limits, escape_json)
        return words._replace(old=_quoted(words.old, REMOVED), new=_quoted(words.new, ADDED))
    if type(old) is type(new) is int and max(abs(old), abs(new)) >= LONG_INTEGER:
        return compare_words(json_text(old), json_text(new), limits, str)
    # Values of different types differ in their first characters, and other values are short.
    return WordDifference(_whole(REMOVED, old, limits), _whole(ADDED, new, limits))


def _whole(kind: str, value: Any, limits: Limits) -> list[Part]:
    return list(shortened(kind, json_text(value), limits.change, escape_unprintable))


def _quoted(parts: Sequence[Part], kind: str) -> list[Part]:
    """Return the parts of a string with the quotes of JSON around them."""
    texts = [part.text for part in parts]
    if not texts or (len(texts) == 1 and texts[0]):
        return [Part(parts[0].kind if parts else kind, f'"{"".join(texts)}"')]
    quote = Part(SAME, '"')
    return [quote, *parts, quote]


def _notes(change: FieldChange, words: WordDifference) -> Iterator[str]:
    if words.more_places:
        text = ngettext(
            "%(count)d more changed place of this value is not shown.",
            "%(count)d more changed places of this value are not shown.",
            words.more_places,
        )
        yield text % {"count": words.more_places}
    if not words.is_complete:
        yield gettext("The texts are too long or too different to compare every word.")
    pairs = [pair for place in words.shown for pair in alike_characters(place.old, place.new)]
    if pairs:
        old, new = (describe(texts) for texts in zip(*pairs, strict=True))
        yield gettext("Characters that may look alike: before %(old)s; after %(new)s.") % {"old": old, "new": new}
    name = change.path[-1] if change.path and change.kind != ChangeKind.CHANGED else ""
    if isinstance(name, str) and not name.isascii():
        yield gettext("Characters of the name: %(names)s.") % {"names": describe(unusual_characters(name))}
