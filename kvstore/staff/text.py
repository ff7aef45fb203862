"""Hostile text made safe to look at: what does not print stands there as an escape, and nothing is endless."""

import json

from django.utils.translation import gettext


def escape_unprintable(text: str) -> str:
    r"""Return text with controls, lone surrogates, bidirectional overrides and the like as ``\u`` escapes."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else json.dumps(character)[1:-1] for character in text)


def shorten(text: str, limit: int) -> str:
    """Return text visible up to a number of characters, and how many it had if they were more."""
    begin = escape_unprintable(text[:limit])
    if len(text) <= limit and len(begin) <= limit:
        return begin
    return gettext("{begin}… ({count} characters)").format(begin=begin[:limit], count=len(text))
