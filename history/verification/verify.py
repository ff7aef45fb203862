"""Compares both databases, row by row of the state, in constant memory, while learners write."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from history.conf import is_recorded
from history.reading.scan import next_row_ids
from history.verification.row_check import Problem, check_row
from history.verification.summaries import RowSummary, checks_between

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
    digests: bool = True,
    batch_size: int = BATCH_SIZE,
    pause: float = 0,
    in_flight: timedelta = IN_FLIGHT,
    after_batch: Callable[[], object] = lambda: None,
) -> Iterator[Problem]:
    """Yield what is wrong, in the order of the rows' ids, after ``progress.last_id``; repaired, where asked and proved.

    Every entry's digest is computed again, unless ``digests`` is false. A row that does not look right is locked and
    examined once more, so that a write under way is never taken for a fault. ``pause`` is in seconds, after each
    batch. Raises the error of a database that fails; ``progress`` then says where to go on.
    """
    while ids := next_row_ids(progress.last_id, batch_size):
        suspicious = set()
        for check in checks_between(ids[0], ids[-1], with_digests=digests, with_states=digests):
            progress.rows += check.row is not None
            progress.entries += check.entries
            if not _looks_right(check):
                suspicious.add(check.row_id)
        for row_id in sorted(suspicious):
            for problem in check_row(row_id, repair=repair, with_digests=digests, in_flight=in_flight):
                yield progress.add(problem)
        progress.last_id = ids[-1]
        after_batch()
        time.sleep(pause)


def _looks_right(check: RowSummary) -> bool:
    if check.outside or check.missing or check.altered or check.unknown_format or check.differs:
        return False
    if check.row is not None and check.newest is not None:
        return not is_recorded(check.row.module_type) or check.newest.version == check.row.version
    return check.row is not None and not is_recorded(check.row.module_type)
