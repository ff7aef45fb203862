"""Finds the rows that may be older than their history, and reads all entries of each, without the states."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import models, router
from django.db.models import Count, Max

from history.models import Erasure, PendingHistory
from history.reading.chain import LINK_COLUMNS, EntryLink, Link
from history.reading.scan import KEYS, Identity, delivered
from history.recovery.plan import PresentVersion
from kvstore.models import StudentModule
from kvstore.querysets import unguarded
from kvstore.signals import StateVersion
from kvstore.storage.reading import stored_text

IDENTITY: tuple[Any, ...] = ("student_id", *map(stored_text, KEYS))
ENTRY_COLUMNS = [stored_text(name) if name in KEYS else name for name in StateVersion._fields]


@dataclass(frozen=True)
class Candidate:
    """A row id and a learner's block, with the row and all entries that have both."""

    row_id: int
    identity: Identity
    present: PresentVersion | None
    """None if the row does not exist"""
    links: list[EntryLink]
    erased: datetime | None
    """when the entries of this row id were erased, if that was after the present version"""

    def reload(self) -> Candidate:
        found = (candidate for candidate in candidates([self.row_id]) if candidate.identity == self.identity)
        return next(found, Candidate(self.row_id, self.identity, None, [], None))


def highest_row_id() -> int:
    """Return the highest row id of all entries and recorded erasures; 0 without any."""
    highest = (
        entries.aggregate(highest=Max("student_module_id"))["highest"] for entries in (delivered(), _stored(Erasure))
    )
    return max(found or 0 for found in highest)


def candidate_ids(ids: Sequence[int]) -> list[int]:
    """Return the ids of candidates among successive row ids, in order.

    Leaves out a row if none of its entries has a higher version and no version has two entries. The database counts, so
    the entries of such a row are not transferred.
    """
    between = (ids[0], ids[-1])
    versions = dict(_stored(StudentModule).filter(pk__range=between).values_list("pk", "version"))
    found = set(_row_ids(_stored(PendingHistory), between)) | set(_row_ids(_stored(Erasure), between))
    history = delivered().filter(student_module_id__range=between).order_by()
    counts = {"highest": Max("version"), "entries": Count("version"), "numbers": Count("version", distinct=True)}
    for row_id, highest, entries, numbers in history.values_list("student_module_id").annotate(**counts):
        if row_id not in versions or highest > versions[row_id] or entries != numbers:
            found.add(row_id)
    return sorted(found)


def candidates(row_ids: Collection[int]) -> Iterator[Candidate]:
    """Yield a candidate for each learner's block that has, or had, one of these row ids, lowest id first."""
    rows = _present_versions(row_ids)
    links: dict[tuple[int, Identity], list[EntryLink]] = {key: [] for key in rows}
    for entries in _entries():
        for values in entries.filter(student_module_id__in=row_ids).values_list(*IDENTITY, *LINK_COLUMNS):
            link = EntryLink(*values[3:])
            links.setdefault((link.student_module_id, values[:3]), []).append(link)
    erasures = list(_stored(Erasure).filter(student_module_id__in=row_ids))
    for row_id, identity in sorted(links):
        present = rows.get((row_id, identity))
        own = (erasure for erasure in erasures if erasure.student_module_id == row_id)
        later = (erasure.created for erasure in own if _is_after(erasure, present))
        yield Candidate(row_id, identity, present, links[row_id, identity], max(later, default=None))


def has_later_row(candidate: Candidate, link: Link, until: datetime) -> bool:
    """Return whether the learner's block has an entry of another row that was written after ``link``, up to ``until``.

    A learner has one row of a block, so at that time the row of ``link`` was deleted or had never been committed.
    """
    own = dict(zip(("student_id", *KEYS), candidate.identity, strict=True))
    later = {"created__gt": link.created, "created__lte": until}
    others = (entries.filter(**own, **later).exclude(student_module_id=candidate.row_id) for entries in _entries())
    return any(entries.exists() for entries in others)


def read_entry(link: Link) -> StateVersion | None:
    """Return the entry with all its values; None if it was removed."""
    key = {"student_module_id": link.student_module_id, "version": link.version, "digest": link.digest}
    # Most entries are delivered; a delivery may move a pending one between the first two queries.
    for entries in (delivered(), _stored(PendingHistory), delivered()):
        for values in entries.filter(**key).values_list(*ENTRY_COLUMNS):
            return StateVersion(*values)
    return None


def _present_versions(row_ids: Collection[int]) -> dict[tuple[int, Identity], PresentVersion]:
    rows = _stored(StudentModule).filter(pk__in=row_ids).values_list("pk", *IDENTITY, "version", "digest", "modified")
    return {(values[0], values[1:4]): PresentVersion(*values[4:]) for values in rows}


def _is_after(erasure: Erasure, present: PresentVersion | None) -> bool:
    if present is None or present.modified is None:
        return False
    return erasure.version > present.version and erasure.created > present.modified


def _row_ids(entries: models.QuerySet[Any], between: tuple[int, int]) -> models.QuerySet[Any, int]:
    return entries.filter(student_module_id__range=between).values_list("student_module_id", flat=True).distinct()


def _entries() -> tuple[models.QuerySet[Any], models.QuerySet[Any]]:
    # Pending entries first: a delivery may move one between the queries.
    return _stored(PendingHistory), delivered()


def _stored(model: Any) -> models.QuerySet[Any]:
    return unguarded(model, router.db_for_write(model))
