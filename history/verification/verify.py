"""Compares both databases in the order of the row ids, in constant memory, while learners write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from operator import attrgetter

from django.db import router, transaction

from history.reading.scan import next_row_ids
from history.verification.repair import repair as repair_row
from history.verification.row_check import Problem, find_problems, needs_check
from history.verification.summaries import summaries_between
from kvstore.models import StudentModule
from kvstore.versioning import rows

BATCH_SIZE = 200
"""row ids"""

IN_FLIGHT = timedelta(hours=1)
"""longest duration of a transaction that inserts a row; a younger entry without a row is no problem"""


@dataclass
class Verification:
    """Progress and results of a run."""

    rows: int = 0
    entries: int = 0
    last_id: int = 0
    """id of the last row compared"""
    problems: Counter[str] = field(default_factory=Counter)
    """by kind"""
    unrepaired: int = 0

    def add(self, problem: Problem) -> Problem:
        self.problems[problem.kind] += 1
        self.unrepaired += not (problem.repaired or problem.is_harmless)
        return problem


def verify(
    progress: Verification,
    *,
    repair: bool = False,
    digests: bool = True,
    in_flight: timedelta = IN_FLIGHT,
    after_batch: Callable[[], object] = lambda: None,
) -> Iterator[Problem]:
    """Yield the problems of the rows above ``progress.last_id``, in the order of their ids.

    ``digests`` computes the digest of every entry. ``repair`` corrects what the present rows prove. A row that may have
    a problem is locked and checked again, so a concurrent write is never reported. If a database fails, its error is
    raised, and a run with the same ``progress`` continues.
    """
    while ids := next_row_ids(progress.last_id, BATCH_SIZE):
        suspicious = set()
        for summary in summaries_between(ids[0], ids[-1], with_digests=digests, with_states=digests):
            progress.rows += summary.row is not None
            progress.entries += summary.entries
            if needs_check(summary):
                suspicious.add(summary.row_id)
        for row_id in sorted(suspicious):
            for problem in _check_locked(row_id, repair=repair, digests=digests, in_flight=in_flight):
                yield progress.add(problem)
        progress.last_id = ids[-1]
        after_batch()


def _check_locked(row_id: int, *, repair: bool, digests: bool, in_flight: timedelta) -> list[Problem]:
    using = router.db_for_write(StudentModule)
    found: list[Problem] = []
    with transaction.atomic(using=using):
        rows.lock_by_id(StudentModule, row_id, using)
        for summary in sorted(summaries_between(row_id, row_id, with_digests=digests), key=attrgetter("identity")):
            problems = list(find_problems(summary, in_flight=in_flight))
            if repair:
                repair_row(summary, problems)
            found += problems
    return found
