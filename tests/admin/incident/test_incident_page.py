"""The page previews a repair, makes it after a confirmation, and links to its undo.

TransactionTestCase where the repair writes: it writes each row in its own transaction.
"""

import json
from unittest import mock
from urllib.parse import parse_qs, urlsplit

from django.contrib.admin.models import LogEntry
from django.db import connections
from django.test import tag
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from history.api import HistoryUnavailable, timeline
from history.incident import repair as repairing
from kvstore.keys import block_address
from kvstore.models import StudentModule
from kvstore.storage.writing import write_states
from kvstore.testing import UserFactory
from tests.history.hostile import STATES
from tests.history.incident.case import BLOCK, HISTORY, JOB, IncidentTestCase, harmed
from tests.history.outages import history_outage
from tests.kvstore.cache.blocks import COURSE, usage

PAGE = reverse("admin:xblock_history_incident")


class Page(IncidentTestCase):
    def setUp(self):
        super().setUp()
        self.staff = UserFactory(username="robin", is_staff=True, is_superuser=True)
        self.client.force_login(self.staff)
        self.other = UserFactory(username="bo")
        for name in ("amara", "bo"):
            self.set(name, answer="a", attempts=1)
        self.score(8)
        with harmed():
            for name in ("amara", "bo"):
                self.set(name, answer="")
            self.score(0)

    def get(self, status=200, **criteria):
        response = self.client.get(PAGE, criteria)
        self.assertEqual(response.status_code, status)
        return response

    def post(self, status=302, reason="answers lost", **criteria):
        seen = self.get(**criteria).context["preview"].digest
        return self.send(status, seen, reason, **criteria)

    def send(self, status, seen, reason="answers lost", **criteria):
        response = self.client.post(PAGE, criteria | {"reason": reason, "seen": seen})
        self.assertEqual(response.status_code, status)
        return response

    def states(self):
        return [json.loads(state) for state in StudentModule.objects.order_by("pk").values_list("state", flat=True)]

    def test_the_list_links_to_the_page(self):
        changelist = reverse("admin:xblock_history_studentmodulehistory_changelist")
        self.assertContains(self.client.get(changelist), f'href="{PAGE}"')

    def test_without_criteria_the_page_has_the_form_alone(self):
        response = self.get()
        self.assertContains(response, 'name="recorded_reason"')
        self.assertNotIn("preview", response.context)

    def test_the_preview_has_the_numbers_and_a_sample_and_writes_nothing(self):
        response = self.get(request_id=JOB)
        sums = response.context["preview"].sums
        self.assertEqual((sums.entries, len(sums.learners), len(sums.blocks), sums.written), (3, 2, 1, 2))
        self.assertContains(response, "Repair 2 rows")
        self.assertContains(response, "<strong>1</strong> increased")
        self.assertContains(response, "<code>answer</code> changed: 2")
        self.assertContains(response, "amara")
        self.assertEqual([state["answer"] for state in self.states()], ["", ""])

    def test_the_repair_and_its_undo(self):
        response = self.post(request_id=JOB)
        self.assertEqual(self.states(), [{"answer": "a", "attempts": 1}] * 2)
        self.assertEqual(self.row().grade, 8)
        newest = next(timeline(self.user, BLOCK))
        self.assertEqual((newest.actor_id, newest.reason), (self.staff.pk, "answers lost"))
        after = self.client.get(response["Location"])
        self.assertContains(after, f"Rows repaired: 2, skipped: 0. The id of the repair is {newest.request_id}.")
        self.assertContains(after, f"Undo {newest.request_id}")
        self.assertNotContains(after, 'name="seen"')
        (log,) = LogEntry.objects.all()
        self.assertEqual((log.object_repr, log.user_id), (newest.request_id, self.staff.pk))
        self.assertIn("Repaired 2 rows: request_id=job-17", log.change_message)
        ((_name, count, undo),) = after.context["earlier"]
        self.assertEqual(count, 2)
        criteria = {name: values[0] for name, values in parse_qs(urlsplit(undo).query).items()}
        self.post(**criteria)
        self.assertEqual([state["answer"] for state in self.states()], ["", ""])
        self.assertEqual(self.row().grade, 0)

    def test_grades_are_kept_on_request(self):
        self.post(request_id=JOB, keep_grades="on")
        self.assertEqual((self.fields()["answer"], self.row().grade), ("a", 0))

    def test_a_change_after_the_preview_shows_the_preview_again(self):
        seen = self.get(request_id=JOB).context["preview"].digest
        self.set(attempts=2)
        response = self.send(409, seen, request_id=JOB)
        self.assertContains(response, "The rows changed after the preview.", status_code=409)
        self.assertEqual([state["answer"] for state in self.states()], ["", ""])
        self.send(302, response.context["preview"].digest, request_id=JOB)
        self.assertEqual(self.fields(), {"answer": "a", "attempts": 2})

    def test_a_repair_without_a_preview_or_a_reason_is_refused(self):
        self.send(409, "", request_id=JOB)
        self.post(400, reason=" ", request_id=JOB)
        self.post(400, reason="x" * 256, request_id=JOB)
        self.send(400, "", since="2026-01-01")
        self.assertEqual([state["answer"] for state in self.states()], ["", ""])

    def test_a_forged_repair_without_the_token_of_the_form_is_refused(self):
        browser = self.client_class(enforce_csrf_checks=True)
        browser.force_login(self.staff)
        seen = self.get(request_id=JOB).context["preview"].digest
        data = {"request_id": JOB, "seen": seen, "reason": "r"}
        self.assertEqual(browser.post(PAGE, data).status_code, 403)

    def test_skipped_rows_are_listed(self):
        self.set(answer="b")
        response = self.get(request_id=JOB)
        self.assertContains(response, "skipped: changed afterwards: <code>answer</code>")
        after = self.client.get(self.post(request_id=JOB)["Location"])
        self.assertContains(after, "Rows repaired: 1, skipped: 1.")
        self.assertContains(after, "skipped: changed afterwards: <code>answer</code>")

    def test_an_empty_and_a_wide_selection_give_a_message(self):
        self.assertContains(self.get(request_id="absent"), "No committed entry matches the selection.")
        for criteria in ({"course": str(COURSE)}, {"since": "2026-01-01"}, {"block_type": "problem"}):
            with self.subTest(criteria=criteria):
                self.assertContains(self.get(400, **criteria), "The selection is too wide.", status_code=400)

    def test_a_large_selection_shows_the_commands(self):
        with mock.patch("history.admin.incident.preview.MAX_ROWS", 1):
            response = self.get(recorded_reason="nightly script", until="2100-01-01", keep_grades="on")
        preview, repair = response.context["commands"]
        begin = "manage.py restore_history '--recorded-reason=nightly script' --until=2100-01-01 --keep-grades"
        self.assertEqual((preview, repair), (f"{begin} --dry-run", f"{begin} --reason=REASON"))
        self.assertNotIn("preview", response.context)
        with mock.patch("history.admin.incident.preview.MAX_RANGES", 0):
            self.assertTrue(self.get(request_id=JOB).context["commands"])

    def test_the_rows_as_json_lines(self):
        response = self.get(request_id=JOB, format="jsonl")
        self.assertIn("attachment", response["Content-Disposition"])
        lines = [json.loads(line) for line in response.content.splitlines()]
        self.assertEqual([line["result"] for line in lines], ["restored", "restored"])
        self.assertEqual(lines[1]["grade_after"], [8, 10])

    def test_the_number_of_queries_does_not_depend_on_the_number_of_rows(self):
        def queries(rows):
            for number in range(rows):
                self.set(block=usage(f"b{number}"), answer="a")
            with harmed():
                for number in range(rows):
                    self.set(block=usage(f"b{number}"), answer="")
            with CaptureQueriesContext(connections["default"]) as state, CaptureQueriesContext(history) as entries:
                self.get(request_id=JOB)
            return len(state), len(entries)

        history = connections[HISTORY]
        self.assertEqual(queries(1), queries(20))

    def test_an_outage_before_and_during_the_repair(self):
        seen = self.get(request_id=JOB).context["preview"].digest
        with history_outage():
            self.get(503, request_id=JOB)
            self.send(503, seen, request_id=JOB)
        with mock.patch.object(repairing, "_write", side_effect=[2, HistoryUnavailable("down")]):
            response = self.send(503, seen, request_id=JOB)
        self.assertContains(response, "Rows repaired: 1. Repeat the repair", status_code=503)
        self.post(request_id=JOB)
        self.assertEqual([state["answer"] for state in self.states()], ["a", "a"])

    def test_staff_of_another_course_cannot_repair(self):
        def own(model_admin, request, obj=None):
            return obj is None or str(obj.course_id) == "course-v1:Org+Other+Run"

        with mock.patch("history.admin.permissions.HistoryAdmin.has_view_permission", own):
            response = self.get(403, request_id=JOB)
            self.assertContains(response, "courses that you may not repair", status_code=403)
            self.assertNotContains(response, "amara", status_code=403)
            self.send(403, "", request_id=JOB)
        self.assertEqual([state["answer"] for state in self.states()], ["", ""])


@tag("any_database")
class Hostile(IncidentTestCase):
    def setUp(self):
        super().setUp()
        self.client.force_login(UserFactory(username="robin", is_staff=True, is_superuser=True))

    def test_criteria(self):
        texts = [text for text in STATES.values() if text and len(text) < 3000]
        texts += ["id:99999999999999999999", "\x00", "9999-12-31T23:59:59", "0001-01-01", "' OR 1=1 --", "block-v1:"]
        for name in ("course", "block", "block_type", "actor", "request_id", "recorded_reason", "since", "until"):
            for text in texts:
                with self.subTest(name=name, text=text[:40]):
                    criteria = {"since": "2026-01-01", "until": "2100-01-01"} | {name: text}
                    response = self.client.get(PAGE, criteria)
                    self.assertIn(response.status_code, {200, 400})
                    self.assertNotContains(response, "<script>alert", status_code=response.status_code)

    def test_states(self):
        for number, state in enumerate(STATES.values()):
            key = usage(f"b{number}")
            self.set(block=key, answer="a")
            with harmed():
                change = {block_address(key): lambda row, state=state: row.values._replace(state=state)}
                write_states(self.user.pk, change, create=False)
        response = self.client.get(PAGE, {"request_id": JOB})
        self.assertEqual(response.status_code, 200)
        self.assertNotContains(response, "<script>alert")
        self.assertLess(len(response.content), 1_000_000)
        self.assertEqual({str(row.result) for row in response.context["preview"].rows}, {"restored"})
