"""A browser, a learner who lost an answer, a deleted row and pending entries; and every page that shows them."""

from typing import Any, NamedTuple
from urllib.parse import quote

from django.urls import reverse

from history.models import PendingHistory, StudentModuleHistory
from kvstore.api import DjangoXBlockUserStateClient
from kvstore.models import StudentModule
from tests.admin.lists.case import HISTORY_LIST, PENDING_LIST, STATE_LIST
from tests.browser.case import BrowserTestCase, page
from tests.kvstore.cache.blocks import COURSE, usage

INCIDENT = reverse("admin:xblock_history_incident")
QUERY = f"q=learner:amara&course={quote(str(COURSE))}"
HEADING = "of spring-tides for amara"


def h1(title: str) -> str:
    return f"<h1>{title}</h1>"


class Page(NamedTuple):
    """The address of a page, and the texts that it must contain."""

    path: str
    texts: tuple[str, ...]
    status: int = 200


LISTS = {
    "state": Page(STATE_LIST, ("amara", "spring-tides", "3 learners' state on this page")),
    "filtered state": Page(f"{STATE_LIST}?{QUERY}&grade=zero&last=day", ("1 learner's state on this page",)),
    "an unusable filter": Page(f"{STATE_LIST}?grade=9", ("is not a choice of the filter by grade",)),
    "history": Page(HISTORY_LIST, ("amara", "spring-tides", "Export as CSV", "Repair an incident")),
    "filtered history": Page(f"{HISTORY_LIST}?{QUERY}&action=changed&flag=any", ("spring-tides", "grade decreased")),
    "nothing found": Page(f"{HISTORY_LIST}?q=learner:nobody", ("No learner has the name", "Searches that work")),
    "a choice of learners": Page(f"{HISTORY_LIST}?q=r", ("amara", "in this list")),
    "pending": Page(PENDING_LIST, ("amara", "spring-tides", "3 pending history entries on this page")),
}


LINK_COLOURS = {"grappelli": "#309bbf", "jazzmin": "#0d6efd"}
"""of themes whose links have too little contrast on every page, their own included"""
COLOURED_PAGES = ("history", "filtered timeline", "comparison", "preview of an incident", "state of a row")
"""pages that together contain every colour of the style sheets"""
MAIN_PAGES = (
    *COLOURED_PAGES,
    *("state", "an unusable filter", "nothing found", "a choice of learners"),
    *("version", "restore", "absent row", "learner"),
)
"""pages that together contain every element of the templates"""


class ThemeTestCase(BrowserTestCase):
    """Commits, because the browser reads through a server in another thread."""

    def setUp(self) -> None:
        super().setUp()
        client = DjangoXBlockUserStateClient(self.staff)
        for name in ("moon", "waves", "currents"):
            client.set("amara", usage(name), {"answer": name})
        self.deleted = StudentModule.objects.get(module_state_key=usage("currents"))
        StudentModule.objects.get(pk=self.deleted.pk).delete()
        for entry in StudentModuleHistory.objects.filter(student_module_id=self.row.pk, version__gt=3):
            PendingHistory.objects.create(**entry.as_version()._asdict())

    def block_pages(self) -> dict[str, Page]:
        row, timeline = self.row.pk, page("timeline", self.row.pk)
        return {
            "timeline": Page(timeline, (h1(f"Timeline {HEADING}"), "nightly regrade", "6 versions, none missing")),
            "filtered timeline": Page(f"{timeline}?a=2&b=4&since=2020-01-01", ("Compare the chosen versions",)),
            "timeline of a deleted row": Page(page("timeline", self.deleted.pk), ("The row was deleted here",)),
            "version": Page(page("version", row, 4), (h1(f"Version 4 {HEADING}"), "in-line", "SHA-256")),
            "comparison": Page(f"{page('compare', row)}?a=4&b=6", (h1(f"Versions 4 and 6 {HEADING}"), "Side by side")),
            "restore": Page(page("restore", row, 4), (h1(f"Restore of version 4 {HEADING}"), "Stored in the history")),
            "nothing to restore": Page(page("restore", row, 6), ("There is nothing to restore",)),
            "absent row": Page(page("timeline", 10**9), (h1("Not found"), "does not exist and never did"), 404),
        }

    def other_pages(self) -> dict[str, Page]:
        learner = page("learner", self.learner.pk)
        course = quote(str(COURSE))
        return {
            "learner": Page(f"{learner}?course={course}", (h1("Blocks of amara"), "Deleted rows")),
            "courses of a learner": Page(learner, ("amara", str(COURSE))),
            "incident": Page(INCIDENT, (h1("Repair an incident"), "Recorded reason")),
            "preview of an incident": Page(f"{INCIDENT}?request_id=job-17", ("Repair 1 row", "Sample")),
            "refused incident": Page(f"{INCIDENT}?course={course}", ("Repair an incident", "errornote"), 400),
            "state of a row": Page(
                reverse("admin:xblock_kvstore_studentmodule_change", args=[self.row.pk]),
                ("Complete timeline", '"attempts": 2'),
            ),
        }

    def own_pages_of_the_theme(self) -> dict[str, Page]:
        """Return the pages in which this project adds texts only."""
        entry: Any = StudentModuleHistory.objects.get(student_module_id=self.row.pk, version=4)
        waiting = PendingHistory.objects.get(version=4)
        return {
            "entry": Page(reverse("admin:xblock_history_studentmodulehistory_change", args=[entry.pk]), ("in-line",)),
            "pending entry": Page(
                reverse("admin:xblock_history_pendinghistory_change", args=[waiting.pk]), ("in-line",)
            ),
            "log of a pending entry": Page(
                reverse("admin:xblock_history_pendinghistory_history", args=[waiting.pk]), (f"Version 4 {HEADING}",)
            ),
            "user": Page(reverse("admin:auth_user_change", args=[self.learner.pk]), ("Blocks of this learner",)),
            "index": Page(reverse("admin:index"), ("Learners' state", "Pending history entries")),
        }
