"""Stored text as it is shown to staff: hostile, so made visible, and as much of it as a page takes."""

import json
from typing import Any, NamedTuple

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from kvstore.staff.text import escape_unprintable
from kvstore.versioning import codec

SHOWN_CHARACTERS = 64_000


class Shown(NamedTuple):
    """Stored text as a page shows it; not yet escaped for HTML."""

    text: str
    is_cut: bool
    """whether there is more"""
    error: str = ""
    """why it is shown as it is stored, and not as JSON"""


def pretty(text: str) -> Shown:
    """Return stored text indented where it is JSON, and as it is stored where not."""
    try:
        shown, is_cut = _indented(codec.loads(text))
        return Shown(shown, is_cut)
    except ValueError as error:
        return raw(text)._replace(error=str(error))


def raw(text: str) -> Shown:
    """Return stored text as it is stored."""
    return Shown(_lines(text[:SHOWN_CHARACTERS]), len(text) > SHOWN_CHARACTERS)


def as_html(text: str | None) -> SafeString:
    """Return stored state as HTML: indented where it is JSON, and no more than a page takes."""
    if text is None:
        return format_html("<em>{}</em>", _("never seen"))
    shown = pretty(text)
    more = _("… cut here; {count} characters are stored").format(count=len(text)) if shown.is_cut else ""
    return format_html('<pre tabindex="0">{}\n{}</pre>', shown.text, more)


def score_text(row: Any) -> str:
    """Return the score of a row or an entry, empty where it has none; every digit that tells two scores apart."""
    if row.grade is None:
        return ""
    grade, most = (f"{score:.15g}" if score is not None else "?" for score in (row.grade, row.max_grade))
    return f"{grade} / {most}"


def _indented(value: Any) -> tuple[str, bool]:
    # Piece by piece: indenting what is deep and wide can make a thousand times of it.
    pieces, length = [], 0
    encoder = json.JSONEncoder(indent=2, ensure_ascii=False)
    try:
        for piece in encoder.iterencode(value):
            pieces.append(piece)
            length += len(piece)
            if length > SHOWN_CHARACTERS:
                break
    except RecursionError as error:
        raise ValueError("it is nested too deeply to indent") from error
    return _lines("".join(pieces)[:SHOWN_CHARACTERS]), length > SHOWN_CHARACTERS


def _lines(text: str) -> str:
    return "\n".join(escape_unprintable(line) for line in text.split("\n"))
