"""Stored text as it is shown to staff: hostile, so escaped, and as much of it as a page takes."""

import json

from django.utils.html import format_html

from kvstore import codec

SHOWN_CHARACTERS = 64_000


def as_html(text: str | None) -> str:
    """Return stored state as HTML: indented where it is JSON, as it is where not, and no more than a page takes."""
    if text is None:
        return "never seen"
    try:
        shown = json.dumps(codec.loads(text), indent=2, ensure_ascii=False)
        shown.encode()
    except ValueError:
        # Not JSON, or a lone surrogate that no page can carry: show what is stored.
        shown = text.encode("utf-8", "backslashreplace").decode()
    cut = f"\n... {len(shown)} characters in all" if len(shown) > SHOWN_CHARACTERS else ""
    return format_html("<pre>{}{}</pre>", shown[:SHOWN_CHARACTERS], cut)
