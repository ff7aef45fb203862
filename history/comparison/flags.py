"""Flags for suspicious changes in a version: grade decreased, field removed, state emptied, versions missing."""

from datetime import timedelta
from math import isclose
from typing import Protocol

from django.db.models import TextChoices
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from history.comparison.diff import Difference, diff
from history.comparison.json_diff import ChangeKind
from history.models import Entry, PendingHistory
from kvstore.signals import DELETED

ANSWER_FIELDS = ("student_answers",)
"""fields that contain one value for each answer of the learner, as in capa problems"""

ATTEMPTS_FIELD = "attempts"
SAME_SECOND = timedelta(seconds=1)


class Flag(TextChoices):
    """A suspicious change, in order of severity. The value is also a part of a CSS class."""

    DELETED = "deleted", pgettext_lazy("flag", "row deleted")
    ANSWERS_EMPTIED = "answers-emptied", pgettext_lazy("flag", "answers emptied")
    FIELD_REMOVED = "field-removed", pgettext_lazy("flag", "field removed")
    GRADE_DECREASED = "grade-decreased", pgettext_lazy("flag", "grade decreased")
    ATTEMPTS_DECREASED = "attempts-decreased", pgettext_lazy("flag", "attempts decreased")
    UNREADABLE = "unreadable", pgettext_lazy("flag", "unreadable state")
    GAP = "gap", pgettext_lazy("flag", "versions missing")
    SAME_SECOND = "same-second", pgettext_lazy("flag", "same second")
    PENDING = "pending", pgettext_lazy("flag", "pending")

    @property
    def explanation(self) -> Promise:
        return EXPLANATIONS[self]


EXPLANATIONS = {
    Flag.DELETED: _("The learner's state was deleted here. Its history is kept."),
    Flag.ANSWERS_EMPTIED: _(
        "A field became empty or null, answers were removed from the field that contains them, or the whole state was "
        "emptied."
    ),
    Flag.FIELD_REMOVED: _("A field of the previous version was removed."),
    Flag.GRADE_DECREASED: _(
        "The grade is lower than in the previous version, in proportion to its maximum, or was removed."
    ),
    Flag.ATTEMPTS_DECREASED: _("The learner has fewer attempts than in the previous version."),
    Flag.UNREADABLE: _("The state is not a JSON object. It is kept as it was written."),
    Flag.GAP: _("The entries of one or more versions between this one and the previous one are missing."),
    Flag.SAME_SECOND: _(
        "Written less than a second after the previous version, maybe by another request: two writers may have raced."
    ),
    Flag.PENDING: _("The entry is stored with the state and not yet delivered to the history database."),
}


class Graded(Protocol):
    """An entry, or a point of a chart."""

    @property
    def grade(self) -> float | None: ...

    @property
    def max_grade(self) -> float | None: ...


def flags_for(entry: Entry, older: Entry | None, difference: Difference | None = None) -> tuple[Flag, ...]:
    """Return the flags of a version, in order of severity.

    ``older`` is the next entry in a timeline (newest first), or None. ``difference`` is the result of
    ``diff(older.state, entry.state)`` if the caller has it. The first version of a row has no predecessor, even if the
    timeline continues with a deleted row.
    """
    before = predecessor(entry, older)
    if difference is None or before is None:
        # Without a predecessor, only the error of the newer state is used: equal texts are parsed and not compared.
        difference = diff((entry if before is None else before).state, entry.state, limit=0)
    flags = {Flag.UNREADABLE} if difference.newer_error else set()
    if isinstance(entry, PendingHistory):
        flags.add(Flag.PENDING)
    if before is not None:
        flags |= _flags_from_metadata(entry, before)
    if entry.action == DELETED:
        flags.add(Flag.DELETED)
    elif before is not None:
        flags |= _flags_from_difference(difference)
        if has_lower_grade(entry, before):
            flags.add(Flag.GRADE_DECREASED)
    return tuple(flag for flag in Flag if flag in flags)


def predecessor(entry: Entry, older: Entry | None) -> Entry | None:
    """Return the entry to compare a version with: the next older one, if it is of the same row and branch."""
    if older is None or older.student_module_id != entry.student_module_id or older.is_branch != entry.is_branch:
        return None
    return older


def has_lower_grade(newer: Graded, older: Graded) -> bool:
    """Return whether the grade decreased or was removed.

    Grades are compared as fractions of their maximum, so 2 of 4 is less than 2 of 2. If a maximum is missing or not
    above zero, the grades themselves are compared.
    """
    if older.grade is None:
        return False
    if newer.grade is None:
        return True
    now, before = newer.grade, older.grade
    if newer.max_grade and older.max_grade and newer.max_grade > 0 and older.max_grade > 0:
        now, before = now / newer.max_grade, before / older.max_grade
    return now < before and not isclose(now, before)


def _flags_from_metadata(entry: Entry, before: Entry) -> set[Flag]:
    flags = set()
    if entry.version - before.version > 1:
        flags.add(Flag.GAP)
    same_request = entry.request_id != "" and entry.request_id == before.request_id
    if abs(entry.created - before.created) < SAME_SECOND and not same_request:
        flags.add(Flag.SAME_SECOND)
    return flags


def _flags_from_difference(difference: Difference) -> set[Flag]:
    fields = difference.fields
    # Some answers were removed, or the field that contains them.
    fewer_answers = any(
        field.name in ANSWER_FIELDS and (field.lost_items or field.kind == ChangeKind.REMOVED) for field in fields
    )
    flags = set()
    if difference.emptied or fewer_answers or any(field.emptied for field in fields):
        flags.add(Flag.ANSWERS_EMPTIED)
    if any(field.kind == ChangeKind.REMOVED for field in fields):
        flags.add(Flag.FIELD_REMOVED)
    if any(field.name == ATTEMPTS_FIELD and field.decreased for field in fields):
        flags.add(Flag.ATTEMPTS_DECREASED)
    return flags
