"""The export of a filtered list is complete, in the order of the list, without rolled-back entries, and logged.

Everything rolls back on both aliases.
"""

import csv
import io
import json
from unittest import mock

from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import TestCase
from django.urls import reverse

from history.admin import changelists
from history.admin.entries import StudentModuleHistoryAdmin
from history.models import StudentModuleHistory
from kvstore.admin.changelist import KeysetChangeList
from kvstore.testing import UserFactory
from tests.admin.lists.case import HISTORY_LIST, PENDING_LIST, Lists
from tests.history.outages import alias_missing, rolled_back
from tests.kvstore.cache.blocks import COURSE, usage

EXPORT = reverse("admin:xblock_history_studentmodulehistory_export")
HOSTILE = {"answer": "=cmd|' /C calc'!A0", "surrogate": "\ud800"}


class Export(Lists, TestCase):
    @classmethod
    def setUpTestData(cls):
        for name in ("amara", "bo"):
            UserFactory(username=name)
            for number in range(3):
                for block in ("one", "two", "three"):
                    cls.set(cls, name, usage(block), **HOSTILE, tries=number)
        with rolled_back():
            cls.set(cls, "amara", usage("one"), tries=99)

    def setUp(self):
        self.sign_in()
        # Many pages, and bounded ones, of so few entries.
        self.enterContext(mock.patch.object(changelists, "PAGE_SIZE", 2))
        self.enterContext(mock.patch.object(KeysetChangeList, "scan_limit", 4))

    def exported(self, **query):
        response = self.client.get(EXPORT, query)
        self.assertEqual(response.status_code, 200)
        self.assertTrue(response.streaming)
        return response.getvalue().decode()

    def lines(self, **query):
        return [json.loads(line) for line in self.exported(**query).splitlines()]

    def test_all_of_a_list_in_its_order_with_states(self):
        for query in ({"q": "amara"}, {"course": str(COURSE)}, {"q": "amara", "action": "changed"}, {"last": "day"}):
            with self.subTest(**query):
                lines = self.lines(**query)
                with mock.patch.object(KeysetChangeList, "scan_limit", 10_000):
                    shown = self.found(HISTORY_LIST, **query)
                self.assertEqual(
                    [(line["student_module_id"], line["version"]) for line in lines],
                    [(entry.student_module_id, entry.version) for entry in shown],
                )
                entries = StudentModuleHistory.objects.all()
                stored = {(entry.student_module_id, entry.version): entry.state for entry in entries}
                for line in lines:
                    self.assertEqual(line["state"], stored[line["student_module_id"], line["version"]])

    def test_nothing_that_was_rolled_back(self):
        self.assertEqual(StudentModuleHistory.objects.filter(version=4).count(), 1)
        self.assertEqual({line["version"] for line in self.lines(q="amara")}, {1, 2, 3})

    def test_as_csv(self):
        sheet = self.exported(q="amara", format="csv")
        rows = list(csv.DictReader(io.StringIO(sheet.removeprefix("\ufeff"))))
        self.assertEqual(len(rows), 9)
        self.assertEqual((sheet[0], rows[0]["learner"]), ("\ufeff", "amara"))
        self.assertEqual(rows[0]["course"], str(COURSE))

    def test_from_the_beginning_wherever_the_list_stood(self):
        self.assertEqual(len(self.lines(q="amara", after="1900-01-01T00:00:00+00:00")), 9)

    def test_filters_without_an_index_are_refused(self):
        for query in ({}, {"action": "changed"}, {"grade": "none", "type": "problem"}):
            with self.subTest(**query):
                response = self.client.get(EXPORT, query, follow=True)
                self.assertTrue(response.redirect_chain[0][0].startswith(HISTORY_LIST))
                self.assertContains(response, "before you export")
        self.assertFalse(LogEntry.objects.exists())

    def test_invalid_searches_are_reported_by_the_list(self):
        response = self.client.get(EXPORT, {"q": "nobody", "format": "csv"}, follow=True)
        self.assertContains(response, "No learner")
        self.assertRedirects(self.client.get(EXPORT, {"state__icontains": "a"}), f"{HISTORY_LIST}?e=1")
        self.assertFalse(LogEntry.objects.exists())

    def test_the_export_is_logged(self):
        self.exported(q="amara", format="csv")
        logged = LogEntry.objects.get()
        self.assertEqual(logged.user.get_username(), "staff")
        self.assertEqual(logged.change_message, "Exported entries as CSV: q=amara")

    def test_links_require_the_permission(self):
        self.assertContains(self.page(HISTORY_LIST, q="amara"), f'href="{EXPORT}?format=csv&amp;q=amara"')
        self.assertNotContains(self.page(PENDING_LIST), "Export as")
        helper = UserFactory(is_staff=True)
        helper.user_permissions.set(Permission.objects.filter(codename="view_studentmodulehistory"))
        self.client.force_login(helper)
        self.assertNotContains(self.page(HISTORY_LIST, q="amara"), "Export as")

    def test_entries_that_may_not_be_exported_are_left_out(self):
        def of_block_one(model_admin, request, obj=None):
            return obj is None or obj.module_state_key == usage("one")

        with mock.patch.object(StudentModuleHistoryAdmin, "has_export_permission", of_block_one):
            self.assertEqual({line["block"] for line in self.lines(q="amara")}, {str(usage("one"))})

    def test_an_outage_is_a_page_and_no_file(self):
        for suffix in ("csv", "jsonl"):
            with self.subTest(format=suffix), alias_missing():
                response = self.client.get(EXPORT, {"q": "amara", "format": suffix})
                self.assertContains(response, "The history database does not answer", status_code=503)

    def test_an_empty_list_is_an_empty_file(self):
        self.assertEqual(self.exported(q="amara", **{"from": "2100-01-01"}), "")
