"""Reads the rows that may be behind the history, with all entries of each, without the states, which may be large."""

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
from history.recovery.plan import Present
from kvstore.models import StudentModule
from kvstore.signals import StateVersion
from kvstore.storage.reading import stored_text

IDENTITY: tuple[Any, ...] = ("student_id", *map(stored_text, KEYS))
ENTRY_COLUMNS = [stored_text(name) if name in KEYS else name for name in StateVersion._fields]


@dataclass(frozen=True)
class Lineage:
    """A row id and a learner's block, with the row that has both and all entries that have both."""

    row_id: int
    identity: Identity
    present: Present | None
    """None where there is no such row"""
    links: list[EntryLink]
    erased: datetime | None
    """when the entries of a row with this id were erased that was deleted after the present version was written"""

    def read_again(self) -> Lineage:
        """Return the same as it is now."""
        now = (found for found in lineages([self.row_id]) if found.identity == self.identity)
        return next(now, Lineage(self.row_id, self.identity, None, [], None))


def highest_row_id() -> int:
    """Return the highest row id that the history has, or had before an erasure; 0 where there is none."""
    highest = (entries.aggregate(highest=Max("student_module_id"))["highest"] for entries in (delivered(), _erasures()))
    return max(found or 0 for found in highest)


def suspects(ids: Sequence[int]) -> list[int]:
    """Return those of successive row ids that recovery has to look at, in order.

    A row is as the history has it where no version is above its own and none has two entries. The database counts, so
    that no entry of such a row is sent.
    """
    between = (ids[0], ids[-1])
    versions = dict(_rows().filter(pk__range=between).values_list("pk", "version"))
    found = set(_row_ids(_pending(), between)) | set(_row_ids(_erasures(), between))
    history = delivered().filter(student_module_id__range=between).order_by()
    counts = {"highest": Max("version"), "entries": Count("version"), "numbers": Count("version", distinct=True)}
    for row_id, highest, entries, numbers in history.values_list("student_module_id").annotate(**counts):
        if row_id not in versions or highest > versions[row_id] or entries != numbers:
            found.add(row_id)
    return sorted(found)


def lineages(row_ids: Collection[int]) -> Iterator[Lineage]:
    """Yield a lineage for each learner's block that has, or had, one of these row ids, in the order of the ids."""
    rows = _present(row_ids)
    links: dict[tuple[int, Identity], list[EntryLink]] = {key: [] for key in rows}
    for entries in _entries():
        own = entries.filter(student_module_id__in=row_ids)
        for values in own.values_list(*IDENTITY, *LINK_COLUMNS):
            link = EntryLink(*values[3:])
            links.setdefault((link.student_module_id, values[:3]), []).append(link)
    erasures = _erasures().filter(student_module_id__in=row_ids)
    erased = list(erasures.values_list("student_module_id", "version", "created"))
    for row_id, identity in sorted(links):
        present = rows.get((row_id, identity))
        later = (
            when for erased_id, version, when in erased if erased_id == row_id and _is_after(version, when, present)
        )
        yield Lineage(row_id, identity, present, links[row_id, identity], max(later, default=None))


def is_superseded(lineage: Lineage, link: Link, until: datetime) -> bool:
    """Return whether an entry of another row of the same learner and block was written after ``link``, until a moment.

    A learner has one row of a block, so the row of ``link`` was gone then, or was never committed.
    """
    own = dict(zip(("student_id", *KEYS), lineage.identity, strict=True))
    later = {"created__gt": link.created, "created__lte": until}
    others = (entries.filter(**own, **later).exclude(student_module_id=lineage.row_id) for entries in _entries())
    return any(entries.exists() for entries in others)


def entry_of(link: Link) -> StateVersion | None:
    """Return an entry with all its values; None where it is gone."""
    place = {"student_module_id": link.student_module_id, "version": link.version, "digest": link.digest}
    # Most are delivered; a pending one may be delivered in between.
    for entries in (delivered(), _pending(), delivered()):
        for values in entries.filter(**place).values_list(*ENTRY_COLUMNS):
            return StateVersion(*values)
    return None


def _present(row_ids: Collection[int]) -> dict[tuple[int, Identity], Present]:
    rows = _rows().filter(pk__in=row_ids).values_list("pk", *IDENTITY, "version", "digest", "modified")
    return {(values[0], values[1:4]): Present(*values[4:]) for values in rows}


def _is_after(version: int, moment: datetime, present: Present | None) -> bool:
    return (
        present is not None and version > present.version and present.modified is not None and moment > present.modified
    )


def _row_ids(entries: models.QuerySet[Any], between: tuple[int, int]) -> models.QuerySet[Any, int]:
    return entries.filter(student_module_id__range=between).values_list("student_module_id", flat=True).distinct()


def _rows() -> models.QuerySet[StudentModule]:
    return StudentModule.objects.using(router.db_for_write(StudentModule))


def _entries() -> tuple[models.QuerySet[Any], models.QuerySet[Any]]:
    # What is pending before what is delivered: it may be delivered in between.
    return _pending(), delivered()


def _pending() -> models.QuerySet[PendingHistory]:
    return PendingHistory.objects.using(router.db_for_write(PendingHistory))


def _erasures() -> models.QuerySet[Erasure]:
    return Erasure.objects.using(router.db_for_write(Erasure))
