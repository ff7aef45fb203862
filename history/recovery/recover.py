"""Restores rows of `default` from the history, after `default` was restored from a backup."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from django.db import router
from django.db.models import Count

from history.conf import ALL_BLOCK_TYPES, conf, is_recorded
from history.models import StudentModuleHistory
from history.reading.scan import next_row_ids
from history.recovery.candidates import (
    Candidate,
    candidate_ids,
    candidates,
    has_later_row,
    highest_row_id,
    read_entry,
)
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
"""row ids"""

ATTEMPTS = 5
"""for a row that other transactions change meanwhile"""

RESULTS = {
    Outcome.TAKEN: Result.TAKEN,
    Outcome.OTHER_ROW: Result.OTHER_ROW,
    Outcome.NO_LEARNER: Result.MISSING_LEARNER,
    Outcome.MOVED: Result.CHANGED_MEANWHILE,
}

Report = Callable[[RecoveredRow], object]


class Options(NamedTuple):
    """The options of a run."""

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
    stop: Callable[[], bool] = lambda: False,
    after_batch: Callable[[], object] = lambda: None,
) -> None:
    """Restore the rows above ``progress.last_id`` in the order of their ids, each in its own transaction.

    First raises the ids of new rows above those of the history. Calls ``report`` with the result of each row, for a
    restored row before its transaction commits. If the commit fails, the row is reported again, by this run or the
    next one; its last report counts.

    ``only_proved`` excludes versions that may have been rolled back. Of these, ``since``, the time of the backup,
    excludes versions from more than an hour before, and ``until``, the time of the loss (default: now), later versions.
    ``dry_run`` writes nothing.

    Safe to run twice, and while learners write. Call it outside a transaction. Raises the error of a database that
    fails; a run with the same ``progress`` continues.
    """
    if not has_own_database():
        return
    options = Options(Period(since, until or now()), only_proved, dry_run, report)
    highest = highest_row_id()
    progress.next_id = keep_above(StudentModule, highest, router.db_for_write(StudentModule), dry_run=dry_run)
    # Rows above the highest id are new.
    while not stop() and (ids := _ids_up_to(highest, progress.last_id)):
        for candidate in candidates(candidate_ids(ids)):
            progress.last_id = candidate.row_id - 1
            if stop():
                return
            for row in _recover_row(candidate, options):
                progress.add(row)
        progress.rows += len(ids)
        progress.last_id = ids[-1]
        after_batch()


def _ids_up_to(highest: int, after: int) -> list[int]:
    return [row_id for row_id in next_row_ids(after, BATCH_SIZE) if row_id <= highest]


def has_own_database() -> bool:
    """Return whether the history has its own database; else a backup contains the state and the history."""
    return router.db_for_write(StudentModuleHistory) != router.db_for_write(StudentModule)


def not_in_history() -> dict[str, Any]:
    """Return the columns, the scopes and the block types (with the number of rows) that cannot be recovered."""
    scopes = sorted(name for scope, name in SUPPORTED.items() if scope != USER_STATE)
    return {"columns": ["done"], "scopes": scopes, "block_types": _unrecorded_types()}


def _unrecorded_types() -> dict[str, int]:
    if ALL_BLOCK_TYPES in conf.HISTORY_BLOCK_TYPES:
        return {}
    rows = StudentModule.objects.using(router.db_for_write(StudentModule)).order_by("module_type")
    counts = rows.values_list("module_type").annotate(Count("pk"))
    return {block_type: count for block_type, count in counts if not is_recorded(block_type)}


def _recover_row(candidate: Candidate, options: Options) -> list[RecoveredRow]:
    """Restore one row, report and return its results. Tries again if another transaction changes the row."""
    results: list[RecoveredRow] = []
    for _attempt in range(ATTEMPTS):
        results = list(_try_to_recover(candidate, options))
        if all(row.result is not Result.CHANGED_MEANWHILE for row in results):
            break
        candidate = candidate.reload()
    for row in results:
        if not row.is_written:
            options.report(row)
    return results


def _try_to_recover(candidate: Candidate, options: Options) -> Iterator[RecoveredRow]:
    if candidate.erased:
        yield _result(candidate, Result.ERASED, written=candidate.erased)
    links = candidate.links
    while True:
        chosen = plan(candidate.present, links, options.period, only_proved=options.only_proved)
        target = chosen.target
        entry = read_entry(target) if target else None
        fault = _fault(entry) if entry else None
        if target is None or (entry and not fault):
            break
        if fault:
            values = {"to_version": target.version, "proved": chosen.is_proved, "written": target.created}
            yield _result(candidate, fault, **values)
        links = [link for link in links if link.digest != target.digest]
    if entry:
        yield from _restore(candidate, entry, chosen, options)
    if chosen.diverged:
        yield _result(candidate, Result.DIVERGED, proved=True, versions=chosen.diverged)


def _fault(entry: StateVersion) -> Result | None:
    if format_of(entry.digest) not in (0, FORMAT):
        return Result.UNKNOWN_FORMAT
    return None if digest_of(entry) == entry.digest else Result.ALTERED


def _restore(candidate: Candidate, entry: StateVersion, chosen: Plan, options: Options) -> Iterator[RecoveredRow]:
    """Write the values of an entry to the row, report that before the commit, and yield the result."""
    expected = candidate.present.head if candidate.present else None
    written = _result(
        candidate,
        Result.DELETED if entry.action == DELETED else Result.RESTORED,
        to_version=entry.version,
        proved=chosen.is_proved,
        written=entry.created,
        missing=chosen.missing,
    )
    if candidate.present is None and has_later_row(candidate, entry, options.period.until):
        if chosen.is_proved:
            yield replace(written, result=Result.OTHER_ROW)
        return
    try:
        outcome = bring_to(
            entry,
            expected,
            chosen.first or entry.created,
            before_commit=lambda: options.report(written),
            dry_run=options.dry_run,
        )
    except WriteConflict:
        # The run continues with the other rows; the report names this one.
        yield replace(written, result=Result.LOCKED)
    else:
        yield replace(written, result=RESULTS.get(outcome, written.result))


def _result(candidate: Candidate, result: Result, **values: Any) -> RecoveredRow:
    from_version = candidate.present.version if candidate.present else 0
    return RecoveredRow(candidate.row_id, result, *candidate.identity, from_version, **values)
