"""Restores each row of an incident to the version before the selected changes, and keeps later changes."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from history.exceptions import RestoreRefused, UnusableSelection
from history.incident.plan import Planned, needed_links, plan
from history.incident.results import Repair, RepairedRow, RepairResult
from history.incident.rows import IncidentRow, read_rows, read_states
from history.incident.search import UnfinishedSearch, find_rows
from history.incident.selection import REPAIR_PREFIX, Selection
from kvstore.exceptions import StateMoved, UnknownLearner, WriteConflict
from kvstore.signals import RESTORED
from kvstore.storage.writing import write_states
from kvstore.versioning.context import RestoredFrom, change_context, restoring_from
from kvstore.versioning.sql import chunked
from kvstore.versioning.versions import Row, Values, now

BATCH_SIZE = 100
"""rows; their states are in memory together"""

ATTEMPTS = 5
"""for a row that other transactions change meanwhile"""

REPAIR_ID = re.compile(REPAIR_PREFIX + r"[0-9a-f]{12}")

Report = Callable[[RepairedRow], object]


def repair(
    selection: Selection,
    *,
    reason: str = "",
    actor: Any = None,
    keep_grades: bool = False,
    dry_run: bool = False,
    repair_id: str = "",
    after: int = 0,
    progress: Repair | None = None,
    report: Report = lambda row: None,
    stop: Callable[[], bool] = lambda: False,
    after_batch: Callable[[], object] = lambda: None,
) -> Repair:
    """Undo the selected changes of every row, each row in its own transaction, and return the sums.

    A row gets the state and the grade of the version before the selected changes, as a new version with the action
    ``restored``, the actor, the reason and, as request id, the id of the repair. If other changes followed, a field
    that the selected changes did not touch keeps its present value; if the same fields were changed afterwards, the
    row is skipped. ``keep_grades`` leaves the present grades. A row that the selected changes created is kept, without
    the fields and the grade that they added; a row that they deleted is created again. Calls ``report`` with the
    result of each row, after its commit.

    To undo a repair, select by its id as ``request_id``. ``repair_id`` continues an interrupted repair under its id.
    ``after`` continues after a row; the highest id is first. ``dry_run`` writes nothing and needs no reason. A run ends
    early if ``stop()`` is true; ``after_batch`` is called after each query of the search and each batch of rows.

    Safe to run twice, several times at once, and while learners write. Call it outside a transaction. Raises
    RestoreRefused without a reason, UnusableContext, UnusableSelection for a malformed ``repair_id``,
    HistoryUnavailable, or the error of a database that fails; rows that were reported stay repaired, and a run with
    the same selection completes the work.
    """
    if not dry_run and not reason.strip():
        raise RestoreRefused("A repair needs a reason. Nothing was written.")
    if repair_id and not REPAIR_ID.fullmatch(repair_id):
        raise UnusableSelection(f"{repair_id[:100]!r} is not the id of a repair. Nothing was written.")
    progress = Repair() if progress is None else progress
    progress.repair_id = repair_id or new_repair_id()
    progress.dry_run, progress.started, progress.last_id = dry_run, now(), after
    with change_context(actor=actor, reason=reason, request_id=progress.repair_id):
        try:
            lowest = find_rows(selection, after_range=after_batch, stop=stop)
        except UnfinishedSearch:
            return progress
        progress.found = len(lowest)
        run = _Run(selection, lowest, keep_grades, dry_run, progress.repair_id)
        row_ids = sorted((row_id for row_id in lowest if not after or row_id < after), reverse=True)
        for batch in chunked(row_ids, BATCH_SIZE):
            for row in run.results(batch):
                progress.add(row)
                progress.last_id = row.row_id
                report(row)
                if stop():
                    return progress
            progress.rows += len(batch)
            progress.last_id = batch[-1]
            after_batch()
    return progress


def new_repair_id() -> str:
    return f"{REPAIR_PREFIX}{secrets.token_hex(6)}"


class _Run(NamedTuple):
    """A run over rows, of which ``lowest`` has the lowest matching version."""

    selection: Selection
    lowest: Mapping[int, int]
    keep_grades: bool
    dry_run: bool
    repair_id: str

    def results(self, row_ids: Sequence[int]) -> Iterator[RepairedRow]:
        """Yield the result of each row, after its commit."""
        rows = read_rows({row_id: self.lowest[row_id] for row_id in row_ids}, self.selection)
        states = read_states(link for row in rows for link in needed_links(row))
        written = set()
        for row in rows:
            planned = plan(row, states, keep_grades=self.keep_grades)
            if row.identity in written:
                # A deleted row of the block that was just written, so the present values are others.
                row, planned = self._planned_again(row)
            result = self._repaired(row, planned)
            written |= {row.identity} if result.is_written and not self.dry_run else set()
            yield result

    def _repaired(self, row: IncidentRow, planned: Planned) -> RepairedRow:
        for _attempt in range(ATTEMPTS):
            if planned.values is None or self.dry_run:
                return planned.row
            try:
                version = _write(row, planned.values)
                return replace(planned.row, new_version=version, repair_id=self.repair_id)
            except UnknownLearner:
                return replace(planned.row, result=RepairResult.MISSING_LEARNER)
            except WriteConflict:
                # The run continues with the other rows; the report names this one.
                return replace(planned.row, result=RepairResult.LOCKED)
            except StateMoved:
                row, planned = self._planned_again(row)
        return replace(planned.row, result=RepairResult.CHANGED_MEANWHILE)

    def _planned_again(self, row: IncidentRow) -> tuple[IncidentRow, Planned]:
        again = read_rows({row.row_id: self.lowest[row.row_id]}, self.selection)
        row = next((found for found in again if found.identity == row.identity), row)
        return row, plan(row, read_states(needed_links(row)), keep_grades=self.keep_grades)


def _write(row: IncidentRow, values: Values) -> int:
    """Write the next version of a row that has not changed since it was read. Raises StateMoved."""
    expected = (row.present.row_id, row.present.version) if row.present else (None, 0)

    def change(stored: Row) -> Values:
        if (stored.id, stored.version) != expected:
            raise StateMoved(expected[1], stored.version)
        return values

    learner_id = row.identity[0]
    source = RestoredFrom(row.row_id, row.first - 1) if row.first > 1 else None
    with restoring_from(source):
        rows = write_states(learner_id, {row.address: change}, create=True, action=RESTORED)
    return rows[row.address].version
