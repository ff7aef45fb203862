"""Reading the versions of a block for a learner: those that were committed, newest first."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.db import DatabaseError, models, router
from django.db.models import Q
from django.utils.connection import ConnectionDoesNotExist
from opaque_keys.edx.keys import LearningContextKey, UsageKey

from history.exceptions import HistoryUnavailable
from history.models import StudentModuleHistory
from kvstore.keys import BlockAddress, block_address
from kvstore.models import StudentModule
from kvstore.reading import CorruptRows

PAGE_SIZE = 1000
"""entries in one query"""

Entries = models.QuerySet[StudentModuleHistory]


def timeline(
    learner: Any, usage_key: UsageKey, course_key: LearningContextKey | None = None
) -> Iterator[StudentModuleHistory]:
    """Return the entries of a block for a learner, a user or a user's id, newest first.

    Earlier rows of the learner on this block, deleted since, are part of it, each ending in its ``deleted`` entry.
    ``course_key`` completes a usage key of the old form. Raises HistoryUnavailable.
    """
    address = block_address(usage_key, course_key)
    return _pages(_committed({"student_id": getattr(learner, "pk", learner)}, address))


def parsed_versions(learner: Mapping[str, Any], address: BlockAddress) -> Iterator[tuple[dict[str, Any], datetime]]:
    """Yield the fields and the time of every version, newest first; then raise CorruptState for unreadable ones."""
    corrupt = CorruptRows(StudentModuleHistory._meta.db_table)
    for entry in _pages(_committed(learner, address).only("student_module_id", "version", "state", "created")):
        fields = corrupt.parsed(entry.pk, entry.state)
        if fields is not None:
            yield fields, entry.created
    corrupt.raise_if_any()


def _committed(learner: Mapping[str, Any], address: BlockAddress) -> Entries:
    """Return the entries of versions that were committed; one query on the state's database, two where no row is."""
    rows = StudentModule.objects.using(router.db_for_read(StudentModule))
    chosen = rows.filter(**learner, module_state_key=address.usage_key, course_id=address.course_id)
    row = chosen.values_list("id", "student_id", "version").first()
    entries = StudentModuleHistory.objects.using(router.db_for_read(StudentModuleHistory)).filter(
        module_state_key=address.usage_key,
        course_id=address.course_id,
        student_id__in=[row[1] if row else _learner_id(learner)],
    )
    # A row that is gone was there, if an entry says that it was deleted; otherwise its insert was rolled back.
    ended = entries.filter(action=StudentModuleHistory.Action.DELETED)
    if row is None:
        return entries.filter(student_module_id__in=ended.values("student_module_id"))
    row_id, _, version = row
    ended = ended.exclude(student_module_id=row_id)
    # An entry above the version of its row was rolled back.
    return entries.filter(
        Q(student_module_id=row_id, version__lte=version) | Q(student_module_id__in=ended.values("student_module_id"))
    )


def _pages(entries: Entries) -> Iterator[StudentModuleHistory]:
    """Yield entries, newest first, a page to a query; each page starts after the last entry of the one before."""
    newest_first = entries.order_by("-student_module_id", "-version")
    page = _fetched(newest_first)
    while page:
        yield from page
        last = page[-1]
        if len(page) < PAGE_SIZE:
            return
        older = Q(student_module_id__lt=last.student_module_id) | Q(
            student_module_id=last.student_module_id, version__lt=last.version
        )
        page = _fetched(newest_first.filter(older))


def _fetched(entries: Entries) -> list[StudentModuleHistory]:
    try:
        return list(entries[:PAGE_SIZE])
    except (DatabaseError, ConnectionDoesNotExist) as error:
        raise HistoryUnavailable(f"The history database {entries.db!r} cannot be read: {error}.") from error


def _learner_id(learner: Mapping[str, Any]) -> int | None:
    """Return the id in, or behind the user's name in, a filter for rows."""
    if "student_id" in learner:
        known: int | None = learner["student_id"]
        return known
    model = get_user_model()
    named = {column.removeprefix("student__"): value for column, value in learner.items()}
    learner_id: int | None = (
        model._base_manager.using(router.db_for_read(model)).filter(**named).values_list("pk", flat=True).first()
    )
    return learner_id
