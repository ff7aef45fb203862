"""Which of many entries, of many rows, tell of versions that were committed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

from django.db import models, router
from django.utils import timezone

from history.models import Entry, PendingHistory, StudentModuleHistory
from history.reading import in_time
from kvstore.models import StudentModule

Identity = tuple[int, str, str]
Key = tuple[int, int]
EntryT = TypeVar("EntryT", bound=Entry)

DELETED = StudentModuleHistory.Action.DELETED

CLOCKS_DIFFER = timedelta(hours=1)
"""by how much the clocks of those who write and read may differ, with the longest time between write and commit"""


class Before(NamedTuple):
    """What was so before entries were read, and spares looking at them again."""

    moment: datetime
    any_waited: bool

    @classmethod
    def reading(cls) -> Before:
        """Take note, in one query on ``default``, right before entries are read to be passed to :func:`committed`."""
        waiting = PendingHistory._base_manager.using(router.db_for_read(PendingHistory))
        # Not exists(), which orders by nothing and so may look at any row: the first by its key costs the same always.
        found = waiting.order_by("pk").values_list("pk")[:1]
        return cls(timezone.now(), bool(list(found)))

    def settles(self, written: datetime) -> bool:
        """Return whether the versions up to the one written at this moment were read as they are.

        Long before they were read their entries took the places of phantoms, or began to wait and would have been seen
        to. What waits takes its place at any time, however old it is.
        """
        return not self.any_waited and written < self.moment - CLOCKS_DIFFER


class Reached(NamedTuple):
    """How far a row has come."""

    identity: Identity
    version: int
    modified: datetime


def committed(entries: Sequence[EntryT], before: Before | None = None) -> list[EntryT]:
    """Return those entries whose version was committed.

    An entry is written before its version commits. It was rolled back if its row has not reached that version, if
    the row is another learner's or block's, which got the same id afterwards, or if there is no row and no entry
    that says it was deleted, or says so of an earlier version. Where an entry of the same version waits for delivery,
    the waiting one is what was committed.

    One query on ``default`` for the rows. ``before`` says what was so before the entries were read; without it, and
    for what was written around that moment, there is another one on each database, and one on the history's for rows
    that are gone. Raises HistoryUnavailable.
    """
    delivered = [entry for entry in entries if not isinstance(entry, PendingHistory)]
    if not delivered:
        return list(entries)
    reached = _reached({entry.student_module_id for entry in delivered})
    doubtful = [entry for entry in delivered if not _is_settled(entry, reached, before)]
    # What waits is read before what is delivered: it may be delivered in between.
    waiting = list(_of_rows(PendingHistory, {entry.student_module_id for entry in doubtful})) if doubtful else []
    replaced = {_key(entry) for entry in waiting}
    gone = {entry.student_module_id for entry in doubtful if not _is_of(entry, reached)}
    ended = _ended([*waiting, *_deleted(gone)])

    def was_committed(entry: Entry) -> bool:
        if _key(entry) in replaced:
            return False
        if _is_of(entry, reached):
            return entry.version <= reached[entry.student_module_id].version
        end = ended.get((entry.student_module_id, *_identity(entry)))
        return end is not None and entry.version <= end.version

    at_risk = [entry for entry in doubtful if was_committed(entry) and not _ended_long_ago(entry, ended, before)]
    changed = _changed_since(at_risk)
    return [
        entry
        for entry in entries
        if isinstance(entry, PendingHistory) or (was_committed(entry) and _key(entry) not in changed)
    ]


def _reached(ids: Collection[int]) -> dict[int, Reached]:
    rows = StudentModule.objects.using(router.db_for_read(StudentModule)).filter(pk__in=ids)
    columns = ("pk", "student_id", "course_id", "module_state_key", "version", "modified")
    return {
        pk: Reached((student_id, str(course_id), str(key)), version, modified)
        for pk, student_id, course_id, key, version, modified in rows.values_list(*columns)
    }


def _is_settled(entry: Entry, reached: dict[int, Reached], before: Before | None) -> bool:
    """Return whether the row alone tells whether the entry's version was committed."""
    if before is None or not _is_of(entry, reached):
        return False
    row = reached[entry.student_module_id]
    if entry.version == row.version:
        # The version and its entry are of one instant; an entry that was rolled back is of another.
        return entry.created == row.modified and not before.any_waited
    return entry.version > row.version or before.settles(row.modified)


def _ended_long_ago(entry: Entry, ended: dict[tuple[int, int, str, str], Entry], before: Before | None) -> bool:
    end = ended.get((entry.student_module_id, *_identity(entry)))
    return before is not None and end is not None and before.settles(end.created)


def _is_of(entry: Entry, reached: dict[int, Reached]) -> bool:
    found = reached.get(entry.student_module_id)
    return found is not None and found.identity == _identity(entry)


def _identity(entry: Entry) -> Identity:
    return entry.student_id, str(entry.course_id), str(entry.module_state_key)


def _key(entry: Entry) -> Key:
    return entry.student_module_id, entry.version


def _of_rows(model: type[Entry], ids: Collection[int]) -> models.QuerySet[Entry]:
    entries = model._base_manager.using(router.db_for_read(model))
    return entries.filter(student_module_id__in=ids).defer("state")


def _deleted(ids: Collection[int]) -> list[Entry]:
    """Return the delivered entries that say that rows were deleted."""
    entries = _of_rows(StudentModuleHistory, ids).filter(action=DELETED)
    return in_time(lambda: list(entries)) if ids else []


def _changed_since(entries: Sequence[Entry]) -> set[Key]:
    """Return which delivered entries were written over since they were read.

    They were read before the versions that the rows have reached. What was rolled back then, and has been replaced by
    the real version since, would pass for that version.
    """
    if not entries:
        return set()
    stored = StudentModuleHistory.objects.using(router.db_for_read(StudentModuleHistory))
    columns = ("student_module_id", "version", "created")
    now = stored.filter(pk__in=[entry.pk for entry in entries]).values_list(*columns)
    same = {tuple(found) for found in in_time(lambda: list(now))}
    return {_key(entry) for entry in entries if (*_key(entry), entry.created) not in same}


def _ended(entries: Iterable[Entry]) -> dict[tuple[int, int, str, str], Entry]:
    """Return the last version of the rows that an entry says were deleted, by id and identity."""
    return {(entry.student_module_id, *_identity(entry)): entry for entry in entries if entry.action == DELETED}
