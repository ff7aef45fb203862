"""The admin's detail pages, and lists after rollbacks and deletions.

Everything rolls back on both aliases.
"""

import json

from django.test import TestCase
from django.urls import reverse

from history.models import StudentModuleHistory
from kvstore.api import DjangoXBlockUserStateClient
from kvstore.models import StudentModule
from kvstore.querysets import unguarded
from kvstore.testing import UserFactory
from tests.admin.lists.case import HISTORY_LIST, PENDING_LIST
from tests.kvstore.cache.blocks import usage

HOSTILE = {"answer": "<script>alert(1)</script>", "nul": "\0", "surrogate": "\ud800"}


class Details(TestCase):
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

    def test_history_leaves_out_versions_that_were_rolled_back(self):
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
        # The last entry of the row commits with the deletion, and is pending until then.
        block = f"block:{usage('second')}"
        self.assertEqual([entry.action for entry in self.found(PENDING_LIST, block)], ["deleted"])
        self.assertEqual([entry.action for entry in self.found(HISTORY_LIST, block)], ["created"])
        self.assertContains(self.page(HISTORY_LIST, q=f"block:{usage('second')}"), "deleted")

    def test_details_escape_the_text_of_learners(self):
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
        unguarded(StudentModule, "default").filter(pk=self.row.pk).update(state=text)

    def test_the_history_button_links_to_the_versions_of_the_row(self):
        url = reverse("admin:xblock_kvstore_studentmodule_history", args=[self.row.pk])
        response = self.client.get(url, follow=True)
        self.assertEqual([step.entry.version for step in response.context["steps"]], [2, 1])
