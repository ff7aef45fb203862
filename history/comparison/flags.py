"""What somebody who looks into a learner's history must not overlook in a version."""

from datetime import timedelta
from math import isclose
from typing import Protocol

from django.db.models import TextChoices
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from history.comparison.diff import Difference, diff
from history.comparison.json_diff import Kind
from history.models import Entry, PendingHistory

ANSWER_FIELDS = ("student_answers",)
"""fields that hold the learner's answers one by one; that of capa problems"""

ATTEMPTS_FIELD = "attempts"
SAME_SECOND = timedelta(seconds=1)


class Flag(TextChoices):
    """One thing to notice; its value is a fit name for a CSS class."""

    DELETED = "deleted", pgettext_lazy("mark", "row deleted")
    ANSWERS_EMPTIED = "answers-emptied", pgettext_lazy("mark", "answers emptied")
    FIELD_VANISHED = "field-vanished", pgettext_lazy("mark", "field vanished")
    GRADE_FELL = "grade-fell", pgettext_lazy("mark", "grade fell")
    ATTEMPTS_FELL = "attempts-fell", pgettext_lazy("mark", "attempts went down")
    UNREADABLE = "unreadable", pgettext_lazy("mark", "unreadable state")
    GAP = "gap", pgettext_lazy("mark", "gap")
    SAME_SECOND = "same-second", pgettext_lazy("mark", "same second")
    WAITING = "waiting", pgettext_lazy("mark", "waits for delivery")

    @property
    def explanation(self) -> Promise:
        """One sentence that says what the mark means."""
        return EXPLANATIONS[self]


EXPLANATIONS = {
    Flag.DELETED: _("The row with the learner's state was deleted here; its history is what is left of it."),
    Flag.ANSWERS_EMPTIED: _(
        "A field that held something is empty or null now, answers are gone from the field that holds them, or the "
        "whole state is empty."
    ),
    Flag.FIELD_VANISHED: _("A field of the version before is not there any more."),
    Flag.GRADE_FELL: _("The grade is lower than in the version before, in proportion to its maximum, or is gone."),
    Flag.ATTEMPTS_FELL: _("The learner has fewer attempts than in the version before."),
    Flag.UNREADABLE: _("The state cannot be read as a JSON object; it is kept as it was written."),
    Flag.GAP: _("The entries of one or more versions between this one and the one before are missing."),
    Flag.SAME_SECOND: _(
        "Written less than a second after the version before, not known to be by the same request: two writers may "
        "have raced."
    ),
    Flag.WAITING: _("The version is safe beside the state and waits for the history database."),
}


class Graded(Protocol):
    """What has a grade: an entry, or a point of a drawing."""

    @property
    def grade(self) -> float | None: ...

    @property
    def max_grade(self) -> float | None: ...


def flags_for(entry: Entry, older: Entry | None, difference: Difference | None = None) -> tuple[Flag, ...]:
    """Return what to notice in a version, the gravest first.

    ``older`` is the entry after it in a timeline (newest first), None where there is none; ``difference`` what
    ``diff(older.state, entry.state)`` returned, where the caller has it. A version that begins a row anew is
    compared with nothing: what came before it was deleted, which the entry of the deletion says.
    """
    before = predecessor(entry, older)
    if difference is None or before is None:
        difference = diff(None if before is None else before.state, entry.state, limit=0)
    found = {Flag.UNREADABLE} if difference.newer_error else set()
    if isinstance(entry, PendingHistory):
        found.add(Flag.WAITING)
    if before is not None:
        found |= _against(entry, before)
    if entry.action == Entry.Action.DELETED:
        found.add(Flag.DELETED)
    elif before is not None:
        found |= _of_state(difference) | ({Flag.GRADE_FELL} if grade_fell(entry, before) else set())
    return tuple(mark for mark in Flag if mark in found)


def predecessor(entry: Entry, older: Entry | None) -> Entry | None:
    """Return the entry that a version is compared with: the next older one, if it is of the same row and branch."""
    if older is None or older.student_module_id != entry.student_module_id or older.is_branch != entry.is_branch:
        return None
    return older


def grade_fell(newer: Graded, older: Graded) -> bool:
    """Return whether the grade went down, or away.

    Grades with a maximum above zero are compared as fractions of it, so 2 of 4 is less than 2 of 2, and 3 of 4 less
    than 1 of 1; others as they are.
    """
    if older.grade is None:
        return False
    if newer.grade is None:
        return True
    now, before = newer.grade, older.grade
    if newer.max_grade and older.max_grade and newer.max_grade > 0 and older.max_grade > 0:
        now, before = now / newer.max_grade, before / older.max_grade
    return now < before and not isclose(now, before)


def _against(entry: Entry, before: Entry) -> set[Flag]:
    found = set()
    if entry.version - before.version > 1:
        found.add(Flag.GAP)
    same_request = entry.request_id != "" and entry.request_id == before.request_id
    if abs(entry.created - before.created) < SAME_SECOND and not same_request:
        found.add(Flag.SAME_SECOND)
    return found


def _of_state(difference: Difference) -> set[Flag]:
    fields = difference.fields
    # A field that holds answers may lose some of them, or go as a whole.
    fewer_answers = any(
        field.name in ANSWER_FIELDS and (field.lost_items or field.kind == Kind.REMOVED) for field in fields
    )
    found = set()
    if difference.emptied or fewer_answers or any(field.emptied for field in fields):
        found.add(Flag.ANSWERS_EMPTIED)
    if any(field.kind == Kind.REMOVED for field in fields):
        found.add(Flag.FIELD_VANISHED)
    if any(field.name == ATTEMPTS_FIELD and field.decreased for field in fields):
        found.add(Flag.ATTEMPTS_FELL)
    return found
