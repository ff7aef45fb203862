"""Finds the rows that have entries of a selection, in ranges along an index."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from django.db.models import QuerySet

from history.database.connection import read_history
from history.incident.selection import Selection
from history.models import PendingHistory, StudentModuleHistory
from history.querysets import on_primary
from kvstore.fields import equals_opaquely

SCANNED_ENTRIES = 10_000
"""entries that one query examines at most; slightly more if many have equal values"""

PLACES = ("course_id", "module_state_key")


class UnfinishedSearch(Exception):
    """A search for rows reached its limits."""


def find_rows(
    selection: Selection,
    *,
    most_rows: int | None = None,
    most_ranges: int | None = None,
    after_range: Callable[[], object] = lambda: None,
    stop: Callable[[], bool] = lambda: False,
) -> dict[int, int]:
    """Return the ids of the rows with matching entries, and the lowest matching version of each.

    Raises UnfinishedSearch after ``most_ranges`` ranges, with more than ``most_rows`` rows, and if ``stop()``; and
    HistoryUnavailable.
    """
    lowest: dict[int, int] = {}
    for number, found in enumerate(_matching_rows(selection)):
        for row_id, version in found.items():
            lowest[row_id] = min(version, lowest.get(row_id, version))
        # The first range contains the pending entries.
        if stop() or number == most_ranges or (most_rows is not None and len(lowest) > most_rows):
            raise UnfinishedSearch
        after_range()
    return lowest


def _matching_rows(selection: Selection) -> Iterator[dict[int, int]]:
    """Yield the ids of the rows with matching entries, each with its lowest matching version.

    One dict for each query: for the pending entries, then for each range of delivered entries, in the order of the
    index that serves the selection. The same row may come again. Whether an entry was committed is not examined.
    Raises HistoryUnavailable.
    """
    lookups = selection.filters | selection.period
    # Pending entries first: an entry may be delivered between the two queries.
    yield _lowest(on_primary(PendingHistory).filter(**lookups))
    # The ranges are of the course and the block already.
    others = {name: value for name, value in lookups.items() if name not in PLACES}
    for entries in _ranges(selection):
        yield read_history(partial(_lowest, entries.filter(**others)))


def _lowest(entries: QuerySet[Any]) -> dict[int, int]:
    found: dict[int, int] = {}
    for row_id, version in entries.values_list("student_module_id", "version"):
        found[row_id] = min(version, found.get(row_id, version))
    return found


def _ranges(selection: Selection) -> Iterator[QuerySet[Any]]:
    """Yield the delivered entries in ranges along an index: of the block, of the course, or of time."""
    entries = on_primary(StudentModuleHistory)
    column = "created"
    if selection.block is not None:
        places = {name: value for name, value in selection.filters.items() if name in PLACES}
        entries, column, fixed = entries.filter(**places), "student_id", ["module_state_key"]
    elif selection.course is not None:
        # A planner may otherwise choose the index of time and read other courses.
        of_course = equals_opaquely(StudentModuleHistory, "course_id", selection.course)
        entries, fixed = entries.filter(of_course, **selection.period), ["course_id"]
    else:
        entries, fixed = entries.filter(**selection.period), []
    rest = entries
    while True:
        values = rest.order_by(*fixed, column).values_list(column, flat=True)
        end: list[Any] = read_history(partial(list, values[SCANNED_ENTRIES - 1 : SCANNED_ENTRIES]))
        yield rest.filter(**{f"{column}__lte": end[0]}) if end else rest
        if not end:
            return
        rest = entries.filter(**{f"{column}__gt": end[0]})
