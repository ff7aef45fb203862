"""Names the characters of texts that differ but may look alike."""

import unicodedata
from collections.abc import Sequence

from history.comparison.formatting import first_difference

MAX_NAMED = 3
MAX_TEXT = 200
"""characters; longer texts are not examined"""


def alike_characters(old: str, new: str) -> list[tuple[str, str]]:
    """Return the pairs of characters in which two texts differ, if the texts may look alike, else an empty list.

    Texts may look alike if each pair has characters of different scripts, such as a Latin and a Cyrillic letter, or if
    both have the same compatible form in Unicode.
    """
    if max(len(old), len(new)) > MAX_TEXT or (old.isascii() and new.isascii()):
        return []
    if len(old) != len(new):
        head = first_difference(old, new)
        tail = first_difference(old[head:][::-1], new[head:][::-1])
        pair = old[head : len(old) - tail], new[head : len(new) - tail]
        return [pair] if unicodedata.normalize("NFKC", old) == unicodedata.normalize("NFKC", new) else []
    pairs = [pair for pair in zip(old, new, strict=True) if pair[0] != pair[1]]
    return list(dict.fromkeys(pairs)) if all(map(_may_look_alike, *zip(*pairs, strict=True))) else []


def unusual_characters(text: str) -> list[str]:
    """Return the characters of a text that are not ASCII, each one once."""
    return [character for character in dict.fromkeys(text[:MAX_TEXT]) if not character.isascii()]


def describe(texts: Sequence[str]) -> str:
    """Return code points and names of characters, such as ``U+0430 CYRILLIC SMALL LETTER A``, up to MAX_NAMED."""
    names = [f"U+{ord(character):04X} {unicodedata.name(character, '')}".strip() for character in "".join(texts)]
    return ", ".join(names[:MAX_NAMED]) + (", …" if len(names) > MAX_NAMED else "")


def _may_look_alike(one: str, other: str) -> bool:
    if one.isascii() and other.isascii():
        return False
    return _script(one) != _script(other) or unicodedata.normalize("NFKC", one) == unicodedata.normalize("NFKC", other)


def _script(character: str) -> str:
    """Return the first word of a character's name, which is the script of most letters."""
    return "ASCII" if character.isascii() else unicodedata.name(character, "").partition(" ")[0]
