"""The page that leads staff through the five cases."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from demo.cases import deleted_row, harmful_job, lost_field, wrong_grade
from demo.cases.term import versions_of
from demo.people import PASSWORD, STAFF
from demo.sample_course import SAMPLE_COURSE, SPRING_TIDES, TWO_TIDES
from history.api import Entry, HistoryUnavailable
from history.models import PendingHistory
from kvstore.staff.users import display_name, names_for

CASES = {"lost_field": lost_field, "wrong_grade": wrong_grade, "deleted_row": deleted_row, "harmful_job": harmful_job}
"""cases that are versions of one request each, by their names in the template"""


@dataclass(frozen=True)
class Case:
    """The versions of a case, oldest first, and the people in it."""

    entries: Sequence[Entry]
    learner: str
    """the name of the first learner"""
    actor: str

    @property
    def first(self) -> Entry:
        """The first version."""
        return self.entries[0]

    @property
    def last(self) -> Entry:
        """The last version."""
        return self.entries[-1]

    @property
    def row(self) -> int:
        """The row of the first version."""
        return self.first.student_module_id

    @property
    def good(self) -> int:
        """The version before the first one."""
        return self.first.version - 1

    @property
    def learners(self) -> int:
        """The number of learners with a version."""
        return len({entry.student_id for entry in self.entries})


@require_safe
@never_cache
@login_required
def cases(request: HttpRequest) -> HttpResponse:
    """Show the cases to staff; show others the account to sign in with. 503 during an outage of the history."""
    context: dict[str, Any] = {"account": STAFF, "password": PASSWORD}
    if not request.user.is_staff:
        return render(request, "demo/cases.html", context, status=403)
    try:
        found = {name: versions_of(case.REQUEST_ID) for name, case in CASES.items()}
    except HistoryUnavailable:
        return render(request, "demo/cases.html", context | {"is_unavailable": True}, status=503)
    found["outage"] = list(PendingHistory.objects.defer("state").order_by("created", "version"))
    return render(request, "demo/cases.html", {**context, **_described(found), **_authored()})


def _described(found: dict[str, list[Entry]]) -> dict[str, Case]:
    """Return the cases that have versions, with the names of their people."""
    present = {name: entries for name, entries in found.items() if entries}
    firsts = [entries[0] for entries in present.values()]
    names = names_for({user for entry in firsts for user in (entry.student_id, entry.actor_id) if user is not None})
    return {
        name: Case(
            entries,
            display_name(entries[0].student_id, names),
            display_name(entries[0].actor_id or 0, names),
        )
        for name, entries in present.items()
    }


def _authored() -> dict[str, Any]:
    selection = urlencode({"course": str(SAMPLE_COURSE.key), "request_id": harmful_job.REQUEST_ID})
    try:
        incident = f"{reverse('admin:xblock_history_incident')}?{selection}"
    except NoReverseMatch:
        incident = ""
    return {
        "course": str(SAMPLE_COURSE.key),
        "first_problem": TWO_TIDES.fields["display_name"],
        "second_problem": SPRING_TIDES.fields["display_name"],
        "job": harmful_job.REQUEST_ID,
        "incident_url": incident,
    }
