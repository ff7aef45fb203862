"""Looks at one row of the state and all its entries, and says, or mends, what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import router, transaction
from django.utils import timezone

from history.conf import conf, is_recorded
from history.context import Change
from history.direct import write_entries
from history.entries import EntryValues, entries_of
from history.erasure import erase_entries
from history.evidence import delivered
from history.models import Entry, PendingHistory, StudentModuleHistory
from kvstore.models import StudentModule
from kvstore.signals import CHANGED, CREATED, DELETED
from kvstore.versions import plain_rows, version_of

PAGE_SIZE = 5000
REPAIR_REASON = "found by verify_history"
SHOWN_VERSIONS = 50


@dataclass
class Problem:
    """Something that is wrong with the history of one row."""

    kind: str
    """gap, phantom, differs, unrecorded, vanished, unproven or erasable"""
    student_module_id: int
    versions: list[int] = field(default_factory=list)
    """at most the first fifty"""
    count: int = 0
    repaired: bool = False
    detail: str = ""

    @property
    def harmless(self) -> bool:
        """Whether it may stay: no reader shows a phantom, and the next version takes its place."""
        return self.kind == "phantom"

    def as_dict(self) -> dict[str, Any]:
        """Return all of it, for JSON."""
        return {"problem": self.kind, **{name: value for name, value in asdict(self).items() if name != "kind"}}


@dataclass
class Versions:
    """What the entries of one row with one identity come to, gathered in one pass over them."""

    newest: datetime | None = None
    oldest: datetime | None = None
    lowest: int = 0
    highest: int = 0
    gaps: list[int] = field(default_factory=list)
    gap_count: int = 0
    phantoms: list[int] = field(default_factory=list)
    phantom_count: int = 0
    ended: bool = False

    def add(self, entry: tuple[int, str, datetime], bound: int | None) -> None:
        """Take in the next version, in rising order: its number, action and time."""
        version, action, created = entry
        if bound is not None and version > bound:
            self.phantom_count += 1
            self.phantoms = [*self.phantoms, version][:SHOWN_VERSIONS]
            return
        if self.lowest:
            self.miss(self.highest + 1, version)
        self.lowest = self.lowest or version
        self.highest = version
        self.ended = action == DELETED
        self.oldest = min(self.oldest or created, created)
        self.newest = max(self.newest or created, created)

    def miss(self, first: int, end: int) -> None:
        """Note that the versions from ``first`` up to, not including, ``end`` have no entry."""
        self.gap_count += end - first
        self.gaps += range(first, min(end, first + SHOWN_VERSIONS - len(self.gaps)))


def examine(row_id: int, *, repair: bool, remove_phantoms: bool, in_flight: timedelta) -> Iterator[Problem]:
    """Yield what is wrong with one row, locked so that no write to it is under way."""
    using = router.db_for_write(StudentModule)
    with transaction.atomic(using=using):
        row = plain_rows(StudentModule, using).filter(pk=row_id).select_for_update().first()
        for identity in _identities(row_id, row):
            if row is not None and identity == _identity(row):
                yield from _examine_row(row, repair=repair, remove_phantoms=remove_phantoms)
            else:
                yield from _examine_gone(row_id, identity, repair=repair, in_flight=in_flight)


def _examine_row(row: StudentModule, *, repair: bool, remove_phantoms: bool) -> Iterator[Problem]:
    found = _versions(row.pk, _identity(row), row.version)
    recorded = is_recorded(row.module_type)
    if found.phantom_count:
        # The row is locked, so its version counts every commit that it knows of. But a row from a backup is at an
        # earlier version than it once was, and nothing tells those entries from entries that were rolled back.
        if remove_phantoms:
            delivered().filter(student_module_id=row.pk, version__gt=row.version, **_columns(_identity(row))).delete()
        detail = "" if remove_phantoms else "rolled back, or committed before the state was restored from a backup"
        yield Problem("phantom", row.pk, found.phantoms, found.phantom_count, remove_phantoms, detail)
    if not recorded:
        return
    if not found.highest:
        if repair:
            write_entries([_entry_of(row, CREATED if row.version == 1 else CHANGED)])
        detail = f"{row} is at version {row.version} and has no entry; its present version can be rebuilt"
        yield Problem("unrecorded", row.pk, [row.version], 1, repair, detail)
        return
    if found.highest < row.version:
        found.miss(found.highest + 1, row.version + 1)
    if found.gap_count:
        yield _gap(row, found, repair=repair)
    entry = _current(row)
    if entry is not None and (entry.state, entry.grade, entry.max_grade) != (row.state, row.grade, row.max_grade):
        if repair:
            said = EntryValues.of(entry)
            write_entries(
                [said._replace(state=row.state, grade=row.grade, max_grade=row.max_grade, created=row.modified)]
            )
        yield Problem("differs", row.pk, [row.version], 1, repair, "the latest entry says something else than the row")


def _gap(row: StudentModule, found: Versions, *, repair: bool) -> Problem:
    provable = found.highest < row.version
    if repair and provable:
        write_entries([_entry_of(row, CHANGED)])
    lost = found.gap_count - (repair and provable)
    detail = f"{lost} version(s) cannot be rebuilt: nothing holds what they said" if lost else ""
    return Problem("gap", row.pk, found.gaps, found.gap_count, not lost, detail)


def _examine_gone(
    row_id: int, identity: tuple[int, str, str], *, repair: bool, in_flight: timedelta
) -> Iterator[Problem]:
    found = _versions(row_id, identity, None)
    if found.newest is None or found.oldest is None:
        return
    if found.ended:
        if conf.HISTORY_ON_DELETE == "erase" and not _is_inferred(row_id, identity, found.highest):
            if repair:
                erase_entries(row_id, _columns(identity))
            yield Problem("erasable", row_id, [found.highest], 1, repair, "the row was deleted, its entries were not")
        return
    if found.newest > timezone.now() - in_flight:
        # The transaction that makes the row may still be open.
        return
    if found.newest - found.oldest <= in_flight:
        detail = "no row, and all its entries may be of one transaction that was rolled back; left as they are"
        yield Problem("unproven", row_id, [found.highest], 1, False, detail)
        return
    if repair:
        write_entries([_ending(row_id, identity, found.highest)])
    detail = "the row was there longer than a transaction lasts, and is gone without an entry that says so"
    yield Problem("vanished", row_id, [found.highest + 1], 1, repair, detail)


def _identities(row_id: int, row: StudentModule | None) -> list[tuple[int, str, str]]:
    """Return the identities that the row and its entries have; several share an id that was given out twice."""
    found = {_identity(row)} if row is not None else set()
    for entries in (PendingHistory.objects.using(router.db_for_write(PendingHistory)), delivered()):
        groups = entries.filter(student_module_id=row_id).order_by()
        for student_id, course_id, block in groups.values_list(*_columns((0, "", ""))).distinct():
            found.add((student_id, str(course_id), str(block)))
    return sorted(found)


def _versions(row_id: int, identity: tuple[int, str, str], bound: int | None) -> Versions:
    """Gather the entries of a row, page by page."""
    columns = ("version", "action", "created")
    # What waits first: it may be delivered in between.
    pending = PendingHistory.objects.using(router.db_for_write(PendingHistory))
    waiting = {
        values[0]: values
        for values in pending.filter(student_module_id=row_id, **_columns(identity)).values_list(*columns)
    }
    found = Versions()
    entries = delivered().filter(student_module_id=row_id, **_columns(identity)).order_by("version")
    last = -1
    while page := list(entries.filter(version__gt=last).values_list(*columns)[:PAGE_SIZE]):
        last = page[-1][0]
        for values in page:
            for earlier in sorted(version for version in waiting if version < values[0]):
                found.add(waiting.pop(earlier), bound)
            waiting.pop(values[0], None)
            found.add(values, bound)
    for version in sorted(waiting):
        found.add(waiting[version], bound)
    return found


def _current(row: StudentModule) -> StudentModuleHistory | None:
    """Return the delivered entry of a row's present version; none where the one that was committed still waits."""
    pending = PendingHistory.objects.using(router.db_for_write(PendingHistory))
    if pending.filter(student_module_id=row.pk, version=row.version).exists():
        return None
    return delivered().filter(student_module_id=row.pk, version=row.version, **_columns(_identity(row))).first()


def _entry_of(row: StudentModule, action: str) -> EntryValues:
    (entry,) = entries_of([version_of(row, action)], Change(reason=REPAIR_REASON))
    return entry


def _is_inferred(row_id: int, identity: tuple[int, str, str], version: int) -> bool:
    """Return whether the end of a row was found here, and not said by its deletion: that is no word to erase."""
    ends = delivered().filter(student_module_id=row_id, version=version, **_columns(identity))
    return ends.filter(reason=REPAIR_REASON).exists()


def _ending(row_id: int, identity: tuple[int, str, str], highest: int) -> EntryValues:
    last: Entry = delivered().filter(student_module_id=row_id, version=highest, **_columns(identity)).get()
    return EntryValues(
        student_module_id=row_id,
        version=highest + 1,
        action=DELETED,
        **_columns(identity),
        module_type=last.module_type,
        state=None,
        grade=None,
        max_grade=None,
        created=timezone.now(),
        reason=REPAIR_REASON,
    )


def _identity(row: StudentModule) -> tuple[int, str, str]:
    return row.student_id, str(row.course_id), str(row.module_state_key)


def _columns(identity: tuple[int, str, str]) -> dict[str, Any]:
    return dict(zip(("student_id", "course_id", "module_state_key"), identity, strict=True))
