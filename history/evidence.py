"""What both databases hold of many rows at once, summed up by the databases: small, whatever the number of versions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from django.db import models, router
from django.db.models import Count, Max, Min, Q
from django.db.models.functions import MD5

from history.models import PendingHistory, StudentModuleHistory
from kvstore.models import StudentModule
from kvstore.reading import stored_text

Identity = tuple[int, str, str]


class Content(NamedTuple):
    """What a row or an entry says; the state by its digest."""

    state: str | None
    grade: float | None
    max_grade: float | None


class RowEvidence(NamedTuple):
    """A row of the state as it stands."""

    row_id: int
    module_type: str
    version: int
    identity: Identity
    content: Content


class EntryEvidence(NamedTuple):
    """What the entries of one row, all delivered, come to."""

    row_id: int
    entries: int
    lowest: int
    highest: int
    first_identity: Identity
    last_identity: Identity
    """differs from the first where entries of several identities share the row's id"""


IDENTITY = ("student_id", "course_id", "module_state_key")


def delivered() -> models.QuerySet[StudentModuleHistory]:
    """Return the entries of the history database, without the guards against removing them."""
    return models.QuerySet(StudentModuleHistory, using=router.db_for_write(StudentModuleHistory))


def next_row_ids(after: int, count: int) -> list[int]:
    """Return the lowest ids above ``after`` that the state or the history has, in order."""
    state = StudentModule.objects.using(router.db_for_write(StudentModule)).filter(pk__gt=after).order_by("pk")
    history = delivered().filter(student_module_id__gt=after).order_by("student_module_id")
    ids = set(state.values_list("pk", flat=True)[:count])
    ids |= set(history.values_list("student_module_id", flat=True).distinct()[:count])
    return sorted(ids)[:count]


def rows_between(first: int, last: int) -> dict[int, RowEvidence]:
    """Return the rows of the state with these ids, both included."""
    rows = StudentModule.objects.using(router.db_for_write(StudentModule)).filter(pk__range=(first, last))
    columns = ("student_id", stored_text("course_id"), stored_text("module_state_key"))
    values = rows.values_list("pk", "module_type", "version", *columns, MD5("state"), "grade", "max_grade")
    return {
        row_id: RowEvidence(row_id, module_type, version, (student, course, block), Content(*content))
        for row_id, module_type, version, student, course, block, *content in values
    }


def entries_between(first: int, last: int) -> dict[int, EntryEvidence]:
    """Return what the delivered entries of the rows with these ids come to."""
    texts = {"student_id": models.F("student_id")} | {name: stored_text(name) for name in IDENTITY[1:]}
    bounds: dict[str, models.Aggregate] = {f"low_{name}": Min(text) for name, text in texts.items()}
    bounds |= {f"high_{name}": Max(text) for name, text in texts.items()}
    groups = delivered().filter(student_module_id__range=(first, last)).values("student_module_id")
    sums = groups.annotate(count=Count("*"), lowest=Min("version"), highest=Max("version"), **bounds).order_by()
    return {group["student_module_id"]: _entry_evidence(group) for group in sums}


def _entry_evidence(group: Mapping[str, Any]) -> EntryEvidence:
    low, high = (tuple(group[f"{bound}_{name}"] for name in IDENTITY) for bound in ("low", "high"))
    return EntryEvidence(group["student_module_id"], group["count"], group["lowest"], group["highest"], low, high)


def latest_contents(rows: Iterable[RowEvidence]) -> dict[int, Content]:
    """Return what the delivered entry of each row's current version says."""
    latest = Q()
    for row in rows:
        latest |= Q(student_module_id=row.row_id, version=row.version)
    if not latest:
        return {}
    values = delivered().filter(latest).values_list("student_module_id", MD5("state"), "grade", "max_grade")
    return {row_id: Content(*content) for row_id, *content in values}


def rows_with_waiting_entries(ids: Collection[int]) -> set[int]:
    """Return those of these rows that have entries waiting beside the state."""
    waiting = PendingHistory.objects.using(router.db_for_write(PendingHistory)).filter(student_module_id__in=ids)
    return set(waiting.values_list("student_module_id", flat=True))
