"""Render stored state for staff: unprintable characters escaped, long texts truncated."""

import json
from typing import Any, NamedTuple

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from kvstore.staff.text import escape_unprintable
from kvstore.staff.text import score_text as score_text  # also imported from here
from kvstore.versioning import codec

MAX_CHARACTERS = 64_000


class RenderedText(NamedTuple):
    """Stored text for a page; not yet escaped for HTML."""

    text: str
    is_truncated: bool
    error: str = ""
    """why the text is not indented JSON"""


def render_json(text: str, limit: int = MAX_CHARACTERS) -> RenderedText:
    """Return stored JSON indented, and other text unchanged, up to ``limit`` characters."""
    try:
        return _indented(codec.loads(text), limit)
    except ValueError as error:
        return render_raw(text, limit)._replace(error=str(error))


def render_raw(text: str, limit: int = MAX_CHARACTERS) -> RenderedText:
    return _rendered(text[:limit], is_truncated=len(text) > limit)


def as_html(text: str | None) -> SafeString:
    """Return stored state as HTML, indented if it is JSON."""
    if text is None:
        return format_html("<em>{}</em>", _("never seen"))
    rendered = render_json(text)
    more = _("… truncated; {count} characters are stored").format(count=len(text)) if rendered.is_truncated else ""
    return format_html('<pre tabindex="0" dir="ltr">{}\n{}</pre>', rendered.text, more)


def labelled(label: str, text: Any) -> SafeString:
    """Return a number for a list. The label is visible where the list has no headings: on narrow screens."""
    return format_html('<span class="list-label">{}</span> <span class="list-number">{}</span>', label, text)


def _indented(value: Any, limit: int) -> RenderedText:
    # Encoded in pieces: indenting a deep and wide value can multiply its length by a thousand.
    pieces, length = [], 0
    encoder = json.JSONEncoder(indent=2, ensure_ascii=False)
    try:
        for piece in encoder.iterencode(value):
            pieces.append(piece)
            length += len(piece)
            if length > limit:
                break
    except RecursionError as error:
        raise ValueError("it is nested too deeply to indent") from error
    return _rendered("".join(pieces)[:limit], is_truncated=length > limit)


def _rendered(text: str, *, is_truncated: bool) -> RenderedText:
    lines = "\n".join(escape_unprintable(line) for line in text.split("\n"))
    return RenderedText(lines, is_truncated)
