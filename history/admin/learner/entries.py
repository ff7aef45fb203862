"""Reads the newest versions of many blocks of one learner, in a constant number of queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple

from history.comparison.diff import Difference
from history.comparison.flags import Flag, flags_for
from history.database.connection import read_history
from history.models import PendingHistory, StudentModuleHistory
from history.querysets import on_primary
from history.reading.committed import committed
from history.reading.paging import newest_first
from kvstore.admin.ordering import IndexOrder
from kvstore.storage.reading import stored_text

COMPARED = 10
"""newest versions of a block that are compared, each with the one before it"""
COMPARED_BYTES = 10_000
"""a version with a larger state is compared by its grade only"""
NEWEST_ENTRIES = 10_000
"""entries of a learner that are searched for courses and deleted rows, the newest first"""

BY_LEARNER = IndexOrder(("student_id",), ("-created", "-student_module_id"))

UNKNOWN = Difference((), 0, ())
LOSSES = (
    Flag.DELETED,
    Flag.ANSWERS_EMPTIED,
    Flag.FIELD_REMOVED,
    Flag.GRADE_DECREASED,
    Flag.ATTEMPTS_DECREASED,
)
"""the flags that a learner's page shows"""


class Trace(NamedTuple):
    """The place of one entry of a learner."""

    course_id: str
    module_state_key: str


class Losses(NamedTuple):
    """The flags of the compared versions of a block."""

    flags: tuple[Flag, ...]
    before: Any
    """the version before the newest loss; None without a loss"""


def traces_of(student_id: int) -> list[Trace]:
    """Return the places of a learner's newest entries, rolled-back ones included. Raises HistoryUnavailable."""
    order = BY_LEARNER
    entries = order.filter(on_primary(StudentModuleHistory), {"student_id": student_id})
    columns = (stored_text("course_id"), stored_text("module_state_key"))
    newest = entries.order_by(*order.ordering(backwards=False)).values_list(*columns)[:NEWEST_ENTRIES]
    return [Trace(*values) for values in read_history(lambda: list(newest))]


def newest_versions(
    student_id: int, course_id: str, keys: Collection[str], until: datetime | None = None
) -> Mapping[str, list[Any]]:
    """Return the newest committed entries of each block by usage key, newest first, at most COMPARED + 1.

    With ``until``, those written until then. The state of an entry is None if it is larger than COMPARED_BYTES.

    One query on each database, and those of :func:`history.reading.committed.committed`. Raises HistoryUnavailable.
    """
    if not keys:
        return {}
    of_course: dict[str, Any] = {"student_id": student_id, "course_id": course_id}
    of_course |= {} if until is None else {"created__lte": until}
    # Pending entries first: an entry may be delivered between the two queries.
    pending = on_primary(PendingHistory).filter(module_state_key__in=keys, **of_course)
    # The stubs do not know the methods of our query sets.
    entries = list(pending.with_state_up_to(COMPARED_BYTES))  # type: ignore[attr-defined]
    entries += read_history(lambda: _newest_delivered(of_course, keys))
    stored = {entry.key: entry for entry in reversed(entries)}.values()
    blocks: dict[str, list[Any]] = defaultdict(list)
    for entry in sorted(committed(list(stored)), key=newest_first):
        entry.state = entry.small_state
        blocks[str(entry.module_state_key)].append(entry)
    return {key: versions[: COMPARED + 1] for key, versions in blocks.items()}


def losses_in(versions: Sequence[Any]) -> Losses:
    """Return the flags of the newest COMPARED versions of a block, given newest first with one more.

    Consecutive losses by one request count as one loss.
    """
    flags: set[Flag] = set()
    before, request_id = None, ""
    for entry, older in pairwise([*versions, None] if len(versions) <= COMPARED else versions):
        difference = UNKNOWN if _is_unread(entry) or (older is not None and _is_unread(older)) else None
        found = set(flags_for(entry, older, difference)).intersection(LOSSES)
        if found and (before is None or (before is entry and entry.request_id and entry.request_id == request_id)):
            before, request_id = older, entry.request_id
        flags |= found
    return Losses(tuple(flag for flag in LOSSES if flag in flags), before)


def _is_unread(entry: Any) -> bool:
    return entry.size is not None and entry.small_state is None


def _newest_delivered(of_course: Mapping[str, Any], keys: Collection[str]) -> list[Any]:
    """Return the newest entries of each block: one limited SELECT for each, in one statement."""
    entries = on_primary(StudentModuleHistory)
    statements, parameters = [], []
    for position, key in enumerate(keys):
        of_block = entries.filter(module_state_key=key, **of_course).with_state_up_to(COMPARED_BYTES)  # type: ignore[attr-defined]
        newest = of_block.order_by("-student_module_id", "-version")[: COMPARED + 1]
        statement, values = newest.query.get_compiler(entries.db).as_sql()
        statements.append(f"SELECT * FROM ({statement}) part{position}")  # noqa: S608  compiled by Django
        parameters += values
    return list(entries.raw(" UNION ALL ".join(statements), parameters))
