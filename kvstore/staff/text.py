"""Escape unprintable characters and shorten text for display."""

import json

from django.utils.translation import gettext


def escape_unprintable(text: str) -> str:
    r"""Replace controls, lone surrogates and bidirectional overrides by ``\u`` escapes."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else json.dumps(character)[1:-1] for character in text)


def shorten(text: str, limit: int) -> str:
    """Escape a text and cut it after ``limit`` characters; if cut, state its length."""
    begin = escape_unprintable(text[:limit])
    if len(text) <= limit and len(begin) <= limit:
        return begin
    return gettext("{begin}… ({count} characters)").format(begin=begin[:limit], count=len(text))
