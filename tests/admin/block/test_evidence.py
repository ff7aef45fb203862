"""The export of evidence in the admin, the answer as text on pages, and the log of views.

Everything rolls back on both aliases.
"""

import io
import json
import zipfile
from unittest import mock

from django.contrib.admin.models import LogEntry
from django.db import connections
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from history.admin import viewing
from history.models import PendingHistory, StudentModuleHistory
from kvstore.querysets import unguarded
from kvstore.testing import UserFactory, assert_queries
from tests.admin.block.case import BLOCK, HISTORY, PagesTestCase, page, pending
from tests.history.outages import alias_missing

ANSWERS = {"HISTORY_ANSWER_FORMATTERS": {"problem": f"{__name__}.in_words"}}


def in_words(usage_key, fields):
    """Return an answer with markup; fail for a state without the field."""
    return {"a": "Around <b>noon</b>", "b": "At night\nor later"}.get(fields["answer"])


class Evidence(PagesTestCase):
    def test_the_file_contains_the_timeline_and_the_log_its_digest(self):
        row = self.set(answer="a")
        self.set(answer="b")
        response = self.get(page("evidence", row.pk))
        content = b"".join(response.streaming_content)
        self.assertEqual(int(response["Content-Length"]), len(content))
        self.assertEqual(response["Content-Type"], "application/zip")
        self.assertEqual(response["X-Content-Type-Options"], "nosniff")
        name = f'attachment; filename="evidence-learner-{self.learner.pk}-row-{row.pk}.zip"'
        self.assertEqual(response["Content-Disposition"], name)
        with zipfile.ZipFile(io.BytesIO(content)) as files:
            manifest = json.loads(files.read("manifest.json"))
            self.assertEqual(len(files.read("versions.jsonl").splitlines()), 2)
        self.assertEqual(manifest["exported_by"]["name"], "staff")
        logged = LogEntry.objects.get()
        self.assertRegex(logged.change_message, "^Exported the evidence; its manifest has the SHA-256 [0-9a-f]{64}[.]$")

    def test_the_timeline_links_to_it_for_those_who_may_export(self):
        row = self.set(answer="a")
        self.assertContains(self.get(page("timeline", row.pk)), page("evidence", row.pk))
        with mock.patch("history.admin.entries.StudentModuleHistoryAdmin.has_export_permission", return_value=False):
            self.assertNotContains(self.get(page("timeline", row.pk)), page("evidence", row.pk))

    def test_an_outage_is_a_page_and_no_file(self):
        row = self.set(answer="a")
        with alias_missing():
            self.assertContains(
                self.get(page("evidence", row.pk), 503), "The history database does not answer", status_code=503
            )
        self.assertFalse(LogEntry.objects.exists())

    def test_a_row_that_was_deleted(self):
        row = self.set(answer="a")
        row_id = row.pk
        row.delete()
        response = self.get(page("evidence", row_id))
        with zipfile.ZipFile(io.BytesIO(b"".join(response.streaming_content))) as files:
            self.assertIsNone(json.loads(files.read("manifest.json"))["row"])

    def test_its_queries(self):
        row = self.set(answer="a")
        self.get(page("evidence", row.pk)).getvalue()
        # Session, user; owner, row, pending entries, names twice, log.
        with assert_queries(default=8, student_module_history=1):
            self.get(page("evidence", row.pk)).getvalue()


@override_settings(**ANSWERS)
class Answers(PagesTestCase):
    def test_a_step_shows_the_answer_if_it_changed(self):
        self.set(answer="a")
        self.set(answer="a", attempts=1)
        row = self.set(answer="b")
        response = self.get(page("timeline", row.pk))
        self.assertContains(response, "<del>Around &lt;b&gt;noon&lt;/b&gt;</del>", count=1)
        self.assertContains(response, "<strong>At night\nor later</strong>", count=1)
        self.assertContains(response, "<strong>Around &lt;b&gt;noon&lt;/b&gt;</strong>", count=1)

    def test_the_page_of_a_version_shows_the_answer(self):
        self.set(answer="a")
        row = self.set(attempts=1)
        response = self.get(page("version", row.pk, 2))
        self.assertContains(response, '<dt>Answer</dt><dd class="history-answer">Around &lt;b&gt;noon&lt;/b&gt;</dd>')

    def test_an_error_of_the_function_does_not_break_the_pages(self):
        row = self.set(other="field")
        with self.assertLogs("history.answers", "ERROR"):
            self.assertNotContains(self.get(page("timeline", row.pk)), "Answer")


class Unreadable(PagesTestCase):
    def test_lines_of_a_state_that_is_not_json_require_the_permission_to_export(self):
        self.set(answer="a")
        row = self.set(answer="b")
        unguarded(StudentModuleHistory, HISTORY).filter(version=1).update(state="no JSON: ebb")
        address = page("compare", row.pk, a=1, b=2)
        self.assertContains(self.get(address), "Side by side")
        with mock.patch("history.admin.entries.StudentModuleHistoryAdmin.has_export_permission", return_value=False):
            self.assertIsNone(self.get(address).context["indented"])
            readable = self.get(page("compare", self.set(answer="c").pk, a=2, b=3))
            self.assertTrue(readable.context["indented"].sides.lines)


class Views(PagesTestCase):
    def setUp(self):
        super().setUp()
        self.set(answer="secret")
        with pending():
            self.row = self.set(answer="b")

    def records(self, address):
        """Return the records of one view of a page."""
        with override_settings(HISTORY_LOG_VIEWS=True), self.assertLogs("history.views", "INFO") as logged:
            self.client.get(address).getvalue()
        return logged.records

    def pages(self):
        """Return the address of each page that shows or exports a state, by the name of its URL."""
        state, entry = "xblock_kvstore_studentmodule_change", "xblock_history_studentmodulehistory_change"
        waiting = "xblock_history_pendinghistory_change"
        row_id = self.row.pk
        return {
            "xblock_history_timeline": page("timeline", row_id),
            "xblock_history_version": page("version", row_id, 1),
            "xblock_history_compare": page("compare", row_id, a=1, b=2),
            "xblock_history_restore": page("restore", row_id, 1),
            "xblock_history_state": page("state", row_id, 1),
            "xblock_history_timeline_export": page("timeline_export", row_id, format="csv"),
            "xblock_history_evidence": page("evidence", row_id),
            state: reverse(f"admin:{state}", args=[row_id]),
            entry: reverse(f"admin:{entry}", args=[StudentModuleHistory.objects.get().pk]),
            waiting: reverse(f"admin:{waiting}", args=[PendingHistory.objects.get().pk]),
        }

    def test_each_page_that_shows_or_exports_a_state_logs_one_record(self):
        for name, address in self.pages().items():
            with self.subTest(name):
                (record,) = self.records(address)
                expected = {
                    "viewer_id": self.staff.pk,
                    "page": name,
                    "address": address,
                    "learner_id": self.learner.pk,
                    "course": str(BLOCK.course_key),
                    "usage_key": str(BLOCK),
                    "row_id": self.row.pk,
                }
                self.assertEqual({key: getattr(record, key) for key in expected}, expected)
                self.assertEqual(json.loads(record.getMessage()), expected)
                self.assertNotIn("secret", record.getMessage())

    def test_the_export_of_a_list_logs_its_filters(self):
        address = f"{reverse('admin:xblock_history_studentmodulehistory_export')}?q=amara"
        (record,) = self.records(address)
        self.assertEqual((record.address, record.learner_id, record.row_id), (address, None, None))

    def test_pages_that_show_no_state_log_nothing(self):
        helper = UserFactory(is_staff=True)
        lists = [
            "admin:xblock_history_studentmodulehistory_changelist",
            "admin:xblock_kvstore_studentmodule_changelist",
        ]
        with override_settings(HISTORY_LOG_VIEWS=True), self.assertNoLogs("history.views", "INFO"):
            for name in lists:
                self.client.get(reverse(name))
            self.client.get(page("version", self.row.pk, 99))
            self.client.get(page("moment", self.row.pk, moment="2026-01-01"))
            self.client.force_login(helper)
            for address in self.pages().values():
                self.client.get(address)

    def test_nothing_is_logged_by_default(self):
        with self.assertNoLogs("history.views", "INFO"):
            for address in self.pages().values():
                self.client.get(address).getvalue()

    def test_no_text_begins_another_line(self):
        address = page("version", self.row.pk, 1) + "?digest=%0aforged&x=\n\u2028\x1b"
        with override_settings(HISTORY_LOG_VIEWS=True), self.assertLogs("history.views", "INFO") as logged:
            request = mock.Mock(user=self.staff, resolver_match=None, get_full_path=lambda: address)
            viewing.log_view(request, course="c\nforged\x1b", block="b\u2028forged\u202e")
        (record,) = logged.records
        for text in (record.getMessage(), record.address, record.course, record.usage_key):
            self.assertTrue(text.isprintable(), text)

    def test_logging_adds_no_query(self):
        address = page("version", self.row.pk, 1)
        self.get(address)
        with (
            CaptureQueriesContext(connections["default"]) as default,
            CaptureQueriesContext(connections[HISTORY]) as own,
        ):
            self.get(address)
        with assert_queries(default=len(default), student_module_history=len(own)):
            self.assertEqual(len(self.records(address)), 1)
