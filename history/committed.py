"""Which of many entries, of many rows, tell of versions that were committed."""

from collections.abc import Collection, Iterable, Sequence
from typing import TypeVar

from django.db import models, router

from history.models import Entry, PendingHistory, StudentModuleHistory
from kvstore.models import StudentModule

Identity = tuple[int, str, str]
EntryT = TypeVar("EntryT", bound=Entry)

DELETED = StudentModuleHistory.Action.DELETED


def committed(entries: Sequence[EntryT]) -> list[EntryT]:
    """Return those entries whose version was committed; two queries on ``default``, one or two on the history.

    An entry is written before its version commits. It was rolled back if its row has not reached that version, if
    the row is another learner's or block's, which got the same id afterwards, or if there is no row and no entry
    that says it was deleted, or says so of an earlier version. Where an entry of the same version waits for delivery,
    the waiting one is what was committed.
    """
    ids = {entry.student_module_id for entry in entries}
    rows = StudentModule.objects.using(router.db_for_read(StudentModule)).filter(pk__in=ids).defer("state")
    reached = {row.pk: (_identity(row), row.version) for row in rows}
    # What waits is read before what is delivered: it may be delivered in between.
    waiting = list(_of_rows(PendingHistory, ids))
    replaced = {(entry.student_module_id, entry.version) for entry in waiting}
    gone = {
        entry.student_module_id
        for entry in entries
        if not isinstance(entry, PendingHistory) and not _is_of(entry, reached)
    }
    changed = _changed_since(entries)
    ended = _ended([*waiting, *(_of_rows(StudentModuleHistory, gone).filter(action=DELETED) if gone else ())])

    def was_committed(entry: EntryT) -> bool:
        if isinstance(entry, PendingHistory):
            return True
        if (entry.student_module_id, entry.version) in replaced or entry.pk in changed:
            return False
        if _is_of(entry, reached):
            return entry.version <= reached[entry.student_module_id][1]
        return entry.version <= ended.get((entry.student_module_id, *_identity(entry)), 0)

    return [entry for entry in entries if was_committed(entry)]


def _is_of(entry: Entry, reached: dict[int, tuple[Identity, int]]) -> bool:
    found = reached.get(entry.student_module_id)
    return found is not None and found[0] == _identity(entry)


def _identity(row: StudentModule | Entry) -> Identity:
    return row.student_id, str(row.course_id), str(row.module_state_key)


def _of_rows(model: type[Entry], ids: Collection[int]) -> models.QuerySet[Entry]:
    entries = model._base_manager.using(router.db_for_read(model))
    return entries.filter(student_module_id__in=ids).defer("state")


def _changed_since(entries: Iterable[Entry]) -> set[int]:
    """Return the ids of delivered entries that were written over since they were read.

    They were read before the versions that the rows have reached. What was rolled back then, and has been replaced by
    the real version since, would pass for that version.
    """
    read = {entry.pk: entry.created for entry in entries if not isinstance(entry, PendingHistory)}
    if not read:
        return set()
    now = StudentModuleHistory.objects.using(router.db_for_read(StudentModuleHistory)).filter(pk__in=read)
    same = {pk for pk, created in now.values_list("pk", "created") if created == read[pk]}
    return set(read) - same


def _ended(entries: Iterable[Entry]) -> dict[tuple[int, int, str, str], int]:
    """Return the last version of the rows that an entry says were deleted, by id and identity."""
    return {(entry.student_module_id, *_identity(entry)): entry.version for entry in entries if entry.action == DELETED}
