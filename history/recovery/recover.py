"""Restores the rows of `default` that the history proves, after `default` was restored from a backup."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from django.db import router
from django.db.models import Count

from history.conf import ALL_BLOCK_TYPES, conf, is_recorded
from history.models import StudentModuleHistory
from history.reading.scan import next_row_ids
from history.recovery.candidates import Lineage, entry_of, highest_row_id, is_superseded, lineages, suspects
from history.recovery.plan import Period, Plan, plan
from history.recovery.results import RecoveredRow, Recovery, Result
from kvstore.exceptions import WriteConflict
from kvstore.models import StudentModule
from kvstore.signals import DELETED, StateVersion
from kvstore.storage.recovery import Outcome, bring_to
from kvstore.storage.scopes import SUPPORTED, USER_STATE
from kvstore.storage.sequences import keep_above
from kvstore.versioning.digests import FORMAT, digest_of, format_of
from kvstore.versioning.versions import now

BATCH_SIZE = 500
"""row ids compared at once"""

ATTEMPTS = 5
"""how often a row is planned that is written to meanwhile"""


OUTCOMES = {
    Outcome.TAKEN: Result.TAKEN,
    Outcome.OTHER_ROW: Result.OTHER_ROW,
    Outcome.NO_LEARNER: Result.MISSING_LEARNER,
    Outcome.MOVED: Result.CHANGED_MEANWHILE,
}


Report = Callable[[RecoveredRow], object]


class Options(NamedTuple):
    """How a run restores."""

    period: Period
    only_proved: bool
    dry_run: bool
    report: Report


def recover(
    progress: Recovery,
    report: Report = lambda row: None,
    *,
    dry_run: bool = False,
    only_proved: bool = False,
    since: datetime | None = None,
    until: datetime | None = None,
    batch_size: int = BATCH_SIZE,
    pause: float = 0,
    stop: Callable[[], bool] = lambda: False,
    after_batch: Callable[[], object] = lambda: None,
) -> None:
    """Restore rows after ``progress.last_id`` in the order of their ids, each in a transaction of its own.

    Ids of new rows are first raised above those of the history. ``report`` is called with what became of each row:
    with a restored one before its transaction commits, so that a report misses no row that was restored. If the commit
    fails, the row is reported again, now or by the next run; the last report of a row counts.

    ``only_proved`` leaves out versions that may have been rolled back. ``since``, the moment of the backup, leaves out
    those of them that were written long before it, and ``until``, the moment of the loss, those that were written
    later; without it, the moment at which the run begins. ``dry_run`` writes nothing. ``pause`` is in seconds, after
    each batch.

    Safe to run twice, and while learners write. Call it outside of a transaction. Raises the error of a database that
    fails; ``progress`` then has the id to continue after.
    """
    if not is_apart():
        return
    options = Options(Period(since, until or now()), only_proved, dry_run, report)
    highest = highest_row_id()
    progress.next_id = keep_above(StudentModule, highest, router.db_for_write(StudentModule), dry_run=dry_run)
    # Rows above the highest id are new.
    while not stop() and (ids := _ids_up_to(highest, progress.last_id, batch_size)):
        for lineage in lineages(suspects(ids)):
            progress.last_id = lineage.row_id - 1
            if stop():
                return
            for row in _recovered(lineage, options):
                progress.add(row)
        progress.rows += len(ids)
        progress.last_id = ids[-1]
        after_batch()
        time.sleep(pause)


def _ids_up_to(highest: int, after: int, count: int) -> list[int]:
    return [row_id for row_id in next_row_ids(after, count) if row_id <= highest]


def is_apart() -> bool:
    """Return whether the history is in a database of its own; else both are restored from one backup."""
    return router.db_for_write(StudentModuleHistory) != router.db_for_write(StudentModule)


def not_in_history() -> dict[str, Any]:
    """Return what no recovery restores: columns, scopes, and block types with their number of rows."""
    scopes = sorted(name for place, name in SUPPORTED.items() if place != USER_STATE)
    return {"columns": ["done"], "scopes": scopes, "block_types": _unrecorded_types()}


def _unrecorded_types() -> dict[str, int]:
    if ALL_BLOCK_TYPES in conf.HISTORY_BLOCK_TYPES:
        return {}
    rows = StudentModule.objects.using(router.db_for_write(StudentModule)).order_by("module_type")
    counts = rows.values_list("module_type").annotate(Count("pk"))
    return {block_type: count for block_type, count in counts if not is_recorded(block_type)}


def _recovered(lineage: Lineage, options: Options) -> list[RecoveredRow]:
    """Restore one row, report and return what became of it; plan again where it was written to meanwhile."""
    results: list[RecoveredRow] = []
    for _attempt in range(ATTEMPTS):
        results = list(_attempted(lineage, options))
        if all(row.result is not Result.CHANGED_MEANWHILE for row in results):
            break
        lineage = lineage.read_again()
    for row in results:
        if not row.is_written:
            options.report(row)
    return results


def _attempted(lineage: Lineage, options: Options) -> Iterator[RecoveredRow]:
    if lineage.erased:
        yield _row(lineage, Result.ERASED, written=lineage.erased)
    links = lineage.links
    found = plan(lineage.present, links, options.period, only_proved=options.only_proved)
    while (target := found.target) is not None:
        entry = entry_of(target)
        fault = _fault(entry) if entry else None
        if entry and not fault:
            yield from _brought(lineage, entry, found, options)
            break
        if fault:
            yield _row(lineage, fault, to_version=target.version, proved=found.is_proved, written=target.created)
        links = [link for link in links if link.digest != target.digest]
        found = plan(lineage.present, links, options.period, only_proved=options.only_proved)
    if found.diverged:
        yield _row(lineage, Result.DIVERGED, proved=True, versions=found.diverged)


def _fault(entry: StateVersion) -> Result | None:
    if format_of(entry.digest) not in (0, FORMAT):
        return Result.UNKNOWN_FORMAT
    return None if digest_of(entry) == entry.digest else Result.ALTERED


def _brought(lineage: Lineage, entry: StateVersion, found: Plan, options: Options) -> Iterator[RecoveredRow]:
    """Bring a row to an entry, report that before the commit, and yield the result."""
    expected = lineage.present.head if lineage.present else None
    written = _row(
        lineage,
        Result.DELETED if entry.action == DELETED else Result.RESTORED,
        to_version=entry.version,
        proved=found.is_proved,
        written=entry.created,
        missing=found.missing,
    )
    if lineage.present is None and is_superseded(lineage, entry, options.period.until):
        if found.is_proved:
            yield replace(written, result=Result.OTHER_ROW)
        return
    try:
        outcome = bring_to(
            entry,
            expected,
            found.first or entry.created,
            before_commit=lambda: options.report(written),
            dry_run=options.dry_run,
        )
    except WriteConflict:
        # One row must not hold up the others; the report names it.
        yield replace(written, result=Result.LOCKED)
    else:
        yield replace(written, result=OUTCOMES.get(outcome, written.result))


def _row(lineage: Lineage, result: Result, **values: Any) -> RecoveredRow:
    from_version = lineage.present.version if lineage.present else 0
    return RecoveredRow(lineage.row_id, result, *lineage.identity, from_version, **values)
