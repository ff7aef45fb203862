"""The filters of the timeline: flag, grade, actor and time, evaluated while a bounded number of versions is read.

Everything rolls back on both aliases.
"""

from datetime import UTC, timedelta
from unittest import mock

from django.db import connections
from django.test.utils import CaptureQueriesContext

from history.admin.block import steps
from history.api import change_context
from history.models import StudentModuleHistory
from kvstore.api import DjangoXBlockUserStateClient, set_score
from tests.admin.block.case import BLOCK, HISTORY, PagesTestCase, page


class Filters(PagesTestCase):
    def setUp(self):
        super().setUp()
        client = DjangoXBlockUserStateClient(self.learner)
        with change_context(actor=self.learner):
            self.set(answer="a", hint=1)
            set_score(self.learner.pk, BLOCK, 2, 2)
        with change_context(actor=self.staff, request_id="job"):
            client.delete("amara", BLOCK, fields=["hint"])
            set_score(self.learner.pk, BLOCK, 1, 2)
        with change_context(actor=10**6):
            client.delete("amara", BLOCK)
        self.timeline = page("timeline", self.row().pk)

    def open(self, **query):
        response = self.client.get(self.timeline, query)
        self.assertEqual(response.status_code, 200)
        return response

    def found(self, **query):
        return [step.entry.version for step in self.open(**query).context["steps"]]

    def test_flag(self):
        expected = {"field-removed": [5, 4], "grade-decreased": [4], "answers-emptied": [5], "gap": [], "deleted": []}
        for flag, versions in expected.items():
            with self.subTest(flag=flag):
                self.assertEqual(self.found(flag=flag), versions)
        with connections[HISTORY].cursor() as cursor:
            cursor.execute("DELETE FROM xblock_history_studentmodulehistory WHERE version = 2")
        self.assertEqual(self.found(flag="gap"), [4])

    def test_grade(self):
        self.assertEqual(self.found(grade="changed"), [4, 2])
        self.assertEqual(self.found(grade="same"), [5, 1])

    def test_actor_by_parts_of_the_displayed_name_in_any_letter_case(self):
        for text, versions in {"staff": [4], "STA": [4], " amara ": [2, 1], "deleted": [5], "nobody": []}.items():
            with self.subTest(actor=text):
                self.assertEqual(self.found(actor=text), versions)

    def test_time(self):
        times = dict(StudentModuleHistory.objects.values_list("version", "created"))
        self.assertEqual(self.found(since=times[4].isoformat()), [5, 4])
        self.assertEqual(self.found(until=times[4].isoformat()), [3, 2, 1])
        self.assertEqual(self.found(since=times[2].isoformat(), until=times[5].isoformat()), [4, 2])
        day = times[5].astimezone(UTC).date()
        self.assertEqual(self.found(since=f"{day - timedelta(2)}", until=f"{day + timedelta(1)}"), [5, 4, 2, 1])
        self.assertEqual(self.found(since=f"{day + timedelta(2)}"), [])

    def test_all_together(self):
        query = {"flag": "field-removed", "grade": "changed", "actor": "staff", "since": "2020-01-01"}
        self.assertEqual(self.found(**query), [4])
        self.assertEqual(self.found(**query | {"actor": "amara"}), [])

    def test_the_form_shows_what_was_chosen(self):
        response = self.open(flag="gap", actor="<b>", until="2026-01-31", a="1", b="2")
        self.assertContains(response, '<option value="gap" selected>versions missing</option>', html=True)
        self.assertContains(response, 'value="&lt;b&gt;"')
        self.assertContains(response, 'value="2026-01-31T00:00:00"')
        self.assertContains(response, "No version matches the filter.")
        row_id = self.row().pk
        self.assertContains(response, f'<a href="?a={row_id}.1&amp;b={row_id}.2">Show all versions</a>', html=True)

    def test_an_invalid_value_is_explained(self):
        for name, value, message in (
            ("flag", "huge", "huge is not one of the available choices."),
            ("grade", "9", "9 is not one of the available choices."),
            ("since", "yesterday", "is not a time; write it like"),
            ("until", "2026-13-45T99:00", "is not a time; write it like"),
            ("until", "9999-12-31", "is not a time; write it like"),
            ("since", "9" * 5000, "is not a time; write it like"),
            ("actor", "nul \0", "Null characters are not allowed."),
            ("actor", "x" * 200, "at most 150 characters"),
        ):
            with self.subTest(name=name, value=value[:20]):
                response = self.open(**{name: value})
                self.assertContains(response, message)
                self.assertContains(response, "Correct the filter to see versions.")
                self.assertEqual(response.context["steps"], [])

    def test_filters_survive_paging_and_the_choice_of_a_pair(self):
        for number in range(5):
            with change_context(actor=self.staff):
                self.set(answer=number)
        with mock.patch("history.admin.block.timeline.PAGE_STEPS", 2):
            seen, url = [], f"{self.timeline}?actor=staff&since=2020-01-01"
            while url:
                response = self.get(url)
                seen.append([step.entry.version for step in response.context["steps"]])
                choice = response.context["lives"][0].steps[0].versions[0].newer_choice_url
                self.assertIn("actor=staff&since=2020-01-01", choice)
                url = self.timeline + response.context["older_url"] if response.context["older_url"] else ""
        self.assertEqual(seen, [[10, 9], [8, 7], [6, 4]])

    def test_a_page_reads_a_bounded_number_of_versions_and_states_how_far(self):
        for number in range(20):
            self.set(answer=number)
        times = dict(StudentModuleHistory.objects.values_list("version", "created"))
        with mock.patch.object(steps, "SCANNED_VERSIONS", 10):
            response = self.open(actor="staff")
            self.assertEqual(response.context["steps"], [])
            self.assertContains(response, "No version in this part of the timeline matches the filter.")
            self.assertEqual(response.context["oldest"].created, times[16])
            self.assertContains(response, "Scanned back to")
            self.assertContains(response, "Continue with older versions")
            response = self.get(self.timeline + response.context["older_url"])
            self.assertEqual(response.context["oldest"].created, times[6])
            response = self.get(self.timeline + response.context["older_url"])
            self.assertEqual([step.entry.version for step in response.context["steps"]], [4])
            self.assertNotContains(response, "Scanned back to")

    def test_its_statements(self):
        for number in range(20):
            self.set(answer=number)
        with CaptureQueriesContext(connections[HISTORY]) as captured:
            self.open(actor="staff", flag="field-removed", grade="changed", since="2020-01-01")
        # A page of versions, and the outline.
        self.assertEqual(len(captured), 2)
        self.assertFalse([query for query in captured if "COUNT(" in query["sql"]])
