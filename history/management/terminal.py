"""Text in a terminal: no line wider than its columns, wide characters counted as two, and none that commands it."""

from collections.abc import Iterator
from unicodedata import category, east_asian_width

from kvstore.staff.text import escape_unprintable

WIDTH = 80
"""columns"""

MARKS = ("Mn", "Me")


def wrapped(text: str, indent: str = "", hanging: str = "", width: int = WIDTH) -> Iterator[str]:
    """Yield ``text``, made visible, in lines of at most ``width`` columns; after the first they begin with ``hanging``.

    Lines end at white space where there is some in their second half, anywhere else if not.
    """
    prefix, rest = indent, escape_unprintable(text)
    while rest:
        length = _fitting(rest, width - len(prefix))
        if length < len(rest):
            space = rest.rfind(" ", length // 2, length + 1)
            length = space if space > 0 else length
        yield (prefix + rest[:length]).rstrip()
        prefix, rest = hanging, rest[length:].removeprefix(" ")


def columns_of(text: str) -> int:
    """Return how many columns a text without control characters takes."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _fitting(text: str, width: int) -> int:
    """Return how many characters at the beginning of a text fit, at least one."""
    begin = text[:width]
    if begin.isascii():
        return len(begin)
    taken = 0
    for count, character in enumerate(text):
        taken += _columns(character)
        if taken > width:
            return max(count, 1)
    return len(text)


def _columns(character: str) -> int:
    if category(character) in MARKS:
        return 0
    return 2 if east_asian_width(character) in "WF" else 1
