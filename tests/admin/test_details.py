"""The admin shows learners' state and its history, of two databases, to those who may view them; nobody writes.

Everything rolls back on both aliases.
"""

import json

from django.contrib.auth.models import Permission
from django.test import TestCase
from django.urls import reverse

from history.models import StudentModuleHistory
from kvstore.api import DjangoXBlockUserStateClient
from kvstore.models import StudentModule
from kvstore.testing import StudentModuleFactory, UserFactory
from tests.kvstore.cache.blocks import COURSE, usage

HOSTILE = {"answer": "<script>alert(1)</script>", "nul": "\0", "surrogate": "\ud800"}
STATE_LIST = reverse("admin:xblock_kvstore_studentmodule_changelist")
WAITING_LIST = reverse("admin:xblock_history_pendinghistory_changelist")
HISTORY_LIST = reverse("admin:xblock_history_studentmodulehistory_changelist")


class AdminPages(TestCase):
    databases = {"default", "student_module_history"}

    @classmethod
    def setUpTestData(cls):
        cls.staff = UserFactory(username="staff", is_staff=True, is_superuser=True)
        cls.amara, cls.bo = UserFactory(username="amara", email="amara@school.example"), UserFactory(username="bo")
        client = DjangoXBlockUserStateClient()
        client.set("amara", usage("first"), HOSTILE)
        client.set("amara", usage("first"), {"tries": 2})
        client.set("bo", usage("second"), {"answer": "b"})
        cls.row = StudentModule.objects.get(student=cls.amara)

    def setUp(self):
        self.client.force_login(self.staff)

    def page(self, url, **query):
        response = self.client.get(url, query)
        self.assertEqual(response.status_code, 200)
        return response

    def found(self, url, search):
        return self.page(url, q=search).context["cl"].result_list

    def detail(self, row):
        return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])

    def test_lists_find_by_learner_course_block_and_id(self):
        block = str(usage("first"))
        searches = {
            "learner:amara": 1,
            "amara": 1,
            "amara@school.example": 1,
            f"block:{block}": 1,
            block: 1,
            f"course:{COURSE}": 2,
            str(COURSE): 2,
            f"id:{self.row.pk}": 1,
            f"learner:bo {COURSE}": 1,
            f"learner:bo block:{block}": 0,
            "nobody": 0,
            "block:nonsense": 0,
            "id:nonsense": 0,
            f"id:{10**30}": 0,
        }
        for search, rows in searches.items():
            with self.subTest(search=search):
                self.assertEqual(len(self.found(STATE_LIST, search)), rows)
                self.assertLessEqual(rows, len(self.found(HISTORY_LIST, search)))

    def test_history_shows_each_version_with_names_from_the_other_database(self):
        response = self.page(HISTORY_LIST, q="learner:amara")
        self.assertEqual([entry.version for entry in response.context["cl"].result_list], [2, 1])
        self.assertContains(response, "amara")

    def test_history_leaves_out_what_was_rolled_back(self):
        phantom = StudentModuleHistory.objects.get(student_id=self.bo.pk)
        phantom.pk, phantom.version, phantom._state.adding = None, 2, True
        phantom.save()
        never = StudentModuleHistory.objects.get(student_id=self.bo.pk, version=1)
        never.pk, never.student_module_id, never._state.adding = None, 10**9, True
        never.save()
        self.assertEqual(len(self.found(HISTORY_LIST, "learner:bo")), 1)
        for entry in (phantom, never):
            self.assertEqual(self.client.get(self.detail(entry)).status_code, 302)

    def test_history_of_a_deleted_row_and_of_a_deleted_user_stays(self):
        self.bo.delete()
        # The end of the row commits with the deletion, and waits to be delivered until then.
        block = f"block:{usage('second')}"
        self.assertEqual([entry.action for entry in self.found(WAITING_LIST, block)], ["deleted"])
        self.assertEqual([entry.action for entry in self.found(HISTORY_LIST, block)], ["created"])
        self.assertContains(self.page(HISTORY_LIST, q=f"block:{usage('second')}"), "deleted")

    def test_details_escape_what_learners_wrote(self):
        for row in (self.row, StudentModuleHistory.objects.filter(student_id=self.amara.pk).first()):
            response = self.page(self.detail(row))
            self.assertContains(response, "&lt;script&gt;")
            self.assertNotContains(response, "<script>alert")

    def test_details_show_corrupt_and_huge_states(self):
        for text in ("{not json", json.dumps({"long": "x" * 300_000}), "[" * 5000, None):
            self.overwrite(text)
            with self.subTest(text=str(text)[:20]):
                response = self.page(self.detail(self.row))
                self.assertLess(len(response.content), 150_000)

    def overwrite(self, text):
        from kvstore.querysets import unguarded

        unguarded(StudentModule, "default").filter(pk=self.row.pk).update(state=text)

    def test_the_history_button_leads_to_the_versions_of_the_row(self):
        url = reverse("admin:xblock_kvstore_studentmodule_history", args=[self.row.pk])
        response = self.client.get(url, follow=True)
        self.assertEqual([step.entry.version for step in response.context["steps"]], [2, 1])

    def test_nobody_may_add_change_or_delete(self):
        for row in (self.row, StudentModuleHistory.objects.first()):
            name = f"admin:{row._meta.app_label}_{row._meta.model_name}"
            for url in (reverse(f"{name}_add"), self.detail(row), reverse(f"{name}_delete", args=[row.pk])):
                with self.subTest(url=url):
                    self.assertEqual(self.client.post(url, {"state": "{}", "post": "yes"}).status_code, 403)
        self.assertEqual(StudentModule.objects.get(pk=self.row.pk).version, 2)

    def test_viewing_takes_the_permission_to_view(self):
        helper = UserFactory(is_staff=True)
        self.client.force_login(helper)
        for url in (STATE_LIST, HISTORY_LIST, self.detail(self.row)):
            self.assertEqual(self.client.get(url).status_code, 403)
        helper.user_permissions.set(Permission.objects.filter(codename__startswith="view_studentmodule"))
        for url in (STATE_LIST, HISTORY_LIST, self.detail(self.row)):
            self.assertEqual(self.client.get(url).status_code, 200)

    def test_a_list_takes_as_many_queries_for_fifty_rows_as_for_one(self):
        def queries(url):
            from django.db import connections
            from django.test.utils import CaptureQueriesContext

            counts = []
            for alias in ("default", "student_module_history"):
                with CaptureQueriesContext(connections[alias]) as captured:
                    self.page(url)
                self.assertFalse([query for query in captured if "COUNT(" in query["sql"]])
                counts.append(len(captured))
            return counts

        before = {url: queries(url) for url in (STATE_LIST, HISTORY_LIST)}
        for _ in range(40):
            StudentModuleFactory(state='{"a":1}')
        self.assertEqual({url: queries(url) for url in before}, before)
