"""Entries as files to take away."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import Any, NamedTuple

from django.http import StreamingHttpResponse

from history.export import csv_lines, json_lines


class Format(NamedTuple):
    """A form that entries are exported in."""

    label: str
    content_type: str
    lines: Callable[[Iterable[Any]], Iterator[str]]


FORMATS = {
    "jsonl": Format("JSON Lines", "application/x-ndjson; charset=utf-8", json_lines),
    "csv": Format("CSV", "text/csv; charset=utf-8", csv_lines),
}
DEFAULT_FORMAT = "jsonl"


def suffix_asked_for(text: str) -> str:
    """Return the suffix of the format that is meant."""
    return text if text in FORMATS else DEFAULT_FORMAT


def download(entries: Iterable[Any], name: str, suffix: str) -> StreamingHttpResponse:
    """Send entries as a file, one after the other as they are read. Raises what reading the first of them raises."""
    form = FORMATS[suffix]
    entries = iter(entries)
    # An outage is said by a page, as long as nothing was sent; a header alone would pass for an empty history.
    first = list(islice(entries, 1))
    return StreamingHttpResponse(
        form.lines(chain(first, entries)),
        content_type=form.content_type,
        headers={
            "Content-Disposition": f'attachment; filename="{name}.{suffix}"',
            # Whatever the file holds, a browser is not to make a page of it.
            "X-Content-Type-Options": "nosniff",
        },
    )
