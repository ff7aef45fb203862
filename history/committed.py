"""Which of many entries, of many rows, tell of versions that were committed."""

from collections.abc import Iterable, Sequence

from django.db import router

from history.models import StudentModuleHistory
from kvstore.models import StudentModule

Identity = tuple[int, str, str]


def committed(entries: Sequence[StudentModuleHistory]) -> list[StudentModuleHistory]:
    """Return those entries whose version was committed; one query on the state's database, two where rows are gone.

    An entry is written before its version commits. It was rolled back if its row has not reached that version, if
    the row is another learner's or block's, which got the same id afterwards, or if there is no row and no entry
    that says it was deleted.
    """
    ids = {entry.student_module_id for entry in entries}
    rows = StudentModule.objects.using(router.db_for_read(StudentModule)).filter(pk__in=ids).defer("state")
    reached = {row.pk: (_identity(row), row.version) for row in rows}
    others = [entry for entry in entries if not _is_of(entry, reached)]
    ended = _ended({entry.student_module_id for entry in others}) if others else set()
    return [
        entry
        for entry in entries
        if (
            entry.version <= reached[entry.student_module_id][1]
            if _is_of(entry, reached)
            else (entry.student_module_id, *_identity(entry)) in ended
        )
    ]


def _is_of(entry: StudentModuleHistory, reached: dict[int, tuple[Identity, int]]) -> bool:
    found = reached.get(entry.student_module_id)
    return found is not None and found[0] == _identity(entry)


def _identity(row: StudentModule | StudentModuleHistory) -> Identity:
    return row.student_id, str(row.course_id), str(row.module_state_key)


def _ended(ids: Iterable[int]) -> set[tuple[int, int, str, str]]:
    """Return the id and identity of the rows that an entry says were deleted."""
    entries = StudentModuleHistory.objects.using(router.db_for_read(StudentModuleHistory))
    deleted = entries.filter(student_module_id__in=ids, action=StudentModuleHistory.Action.DELETED).defer("state")
    return {(entry.student_module_id, *_identity(entry)) for entry in deleted}
