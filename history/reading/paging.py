"""Reads entries of the history database in pages, by falling row id and version, without relying on their ids."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from django.db.models import Q, QuerySet

from history.reading.chain import Link

LinkT = TypeVar("LinkT", bound=Link)


def newest_first(entry: Link) -> tuple[int, int]:
    """Sort key: by falling row id and version."""
    return -entry.student_module_id, -entry.version


def older_than(row_id: int, version: int) -> Q:
    """Return a filter for the entries of lower versions of this row, and of rows with a lower id."""
    return Q(student_module_id__lt=row_id) | Q(student_module_id=row_id, version__lt=version)


def in_pages(entries: QuerySet[Any], size: int, fetch: Callable[[QuerySet[Any]], list[LinkT]]) -> Iterator[LinkT]:
    """Yield entries by falling row id and version. ``fetch`` runs the query of each page.

    A version may have several entries. The last version of a page is read again with the next page, so these entries
    may come twice.
    """
    ordered = entries.order_by("-student_module_id", "-version")
    below = Q()
    while True:
        # One entry more than a page shows whether another page follows.
        page = fetch(ordered.filter(below)[: size + 1])
        yield from page
        if len(page) <= size:
            return
        row_id, version = page[-1].student_module_id, page[-1].version
        if newest_first(page[0]) == newest_first(page[-1]):
            # This version alone fills the page.
            yield from fetch(entries.filter(student_module_id=row_id, version=version))
        else:
            version += 1
        below = older_than(row_id, version)
