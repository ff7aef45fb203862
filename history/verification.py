"""Compares both databases, row by row of the state, in constant memory, while learners write."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from history.conf import is_recorded
from history.evidence import (
    EntryEvidence,
    RowEvidence,
    entries_between,
    latest_contents,
    next_row_ids,
    rows_between,
    rows_with_waiting_entries,
)
from history.examination import Problem, examine

BATCH_SIZE = 200
"""rows of the state compared at once"""

IN_FLIGHT = timedelta(hours=1)
"""how old an entry without a row must be before its transaction cannot still be open"""


@dataclass
class Verification:
    """How far a run has come."""

    rows: int = 0
    entries: int = 0
    last_id: int = 0
    """continue after this one"""
    problems: Counter[str] = field(default_factory=Counter)
    unrepaired: int = 0

    def add(self, problem: Problem) -> Problem:
        """Count a problem."""
        self.problems[problem.kind] += 1
        self.unrepaired += not (problem.repaired or problem.harmless)
        return problem


def verify(
    progress: Verification,
    *,
    repair: bool = False,
    remove_phantoms: bool = False,
    batch_size: int = BATCH_SIZE,
    pause: float = 0,
    in_flight: timedelta = IN_FLIGHT,
    after_batch: Callable[[], object] = lambda: None,
) -> Iterator[Problem]:
    """Yield what is wrong, in the order of the rows' ids, after ``progress.last_id``; repaired, where asked and proved.

    Rows that look right are compared by sums that the databases make. Any other is locked and examined, entry by
    entry, so that a write under way is never taken for a fault. ``pause`` is in seconds, after each batch. Raises the
    error of a database that fails; ``progress`` then says where to go on.

    ``remove_phantoms`` removes entries above their row's version, which is right if the state was never restored from
    a backup: then they were rolled back. Else they may be all that is left of committed versions.
    """
    examining = partial(examine, repair=repair, remove_phantoms=remove_phantoms, in_flight=in_flight)
    while ids := next_row_ids(progress.last_id, batch_size):
        for problem in _verify_between(ids[0], ids[-1], progress, examining):
            yield progress.add(problem)
        progress.last_id = ids[-1]
        after_batch()
        time.sleep(pause)


def _verify_between(
    first: int, last: int, progress: Verification, examining: Callable[[int], Iterator[Problem]]
) -> Iterator[Problem]:
    entries = entries_between(first, last)
    rows = rows_between(first, last)
    waiting = rows_with_waiting_entries(rows.keys() | entries.keys())
    contents = latest_contents(rows.values())
    progress.rows += len(rows)
    progress.entries += sum(found.entries for found in entries.values())
    for row_id in sorted(rows.keys() | entries.keys()):
        row, found = rows.get(row_id), entries.get(row_id)
        right = row_id not in waiting and _looks_right(row, found)
        if not right or (row and found and contents.get(row_id) != row.content and is_recorded(row.module_type)):
            yield from examining(row_id)


def _looks_right(row: RowEvidence | None, found: EntryEvidence | None) -> bool:
    if row is None:
        return False
    if found is None:
        return not is_recorded(row.module_type)
    one_identity = found.first_identity == found.last_identity == row.identity
    without_gap = found.entries == found.highest - found.lowest + 1
    reached = found.highest == row.version if is_recorded(row.module_type) else found.highest <= row.version
    return one_identity and without_gap and reached
