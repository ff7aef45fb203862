"""Without the history database, pages of the history answer 503 and every other page works."""

from django.contrib.auth.models import Permission
from django.test import TestCase, TransactionTestCase
from django.urls import reverse

from history.models import PendingHistory, StudentModuleHistory
from kvstore.api import DjangoXBlockUserStateClient
from kvstore.models import StudentModule
from kvstore.testing import UserFactory
from tests.admin.lists.case import HISTORY_LIST, PENDING_LIST, STATE_LIST
from tests.history.outages import ALIAS, alias_missing, history_outage
from tests.kvstore.cache.blocks import usage

UNAVAILABLE = "The history database does not answer"


def set_answer(answer):
    DjangoXBlockUserStateClient().set("amara", usage("block"), {"answer": answer})


class Pages:
    databases = {"default", ALIAS}

    def setUp(self):
        self.client.force_login(UserFactory(username="staff", is_staff=True, is_superuser=True))
        UserFactory(username="amara")
        for answer in ("a", "b"):
            set_answer(answer)
        self.row = StudentModule.objects.get()
        self.entry = StudentModuleHistory.objects.get(version=1)

    def lists(self):
        entry = reverse("admin:xblock_history_studentmodulehistory_change", args=[self.entry.pk])
        incident = f"{reverse('admin:xblock_history_incident')}?request_id=job-17"
        return [HISTORY_LIST, f"{HISTORY_LIST}?q=learner:amara", entry, incident]

    def block(self, name, *args):
        return reverse(f"admin:xblock_history_{name}", args=[self.row.pk, *args])

    def pages_of_the_block(self):
        return [
            self.block("timeline"),
            self.block("version", 1),
            self.block("state", 1),
            self.block("restore", 1),
            f"{self.block('compare')}?a=1&b=2",
            f"{self.block('moment')}?moment=2026-01-01",
            f"{self.block('timeline_export')}?format=csv",
            self.block("evidence"),
        ]

    def assert_unavailable(self, urls):
        for url in urls:
            with self.subTest(url=url):
                self.assertContains(self.client.get(url), UNAVAILABLE, status_code=503)

    def assert_names_the_lists_that_work(self, urls):
        for url in urls:
            with self.subTest(url=url):
                response = self.client.get(url)
                for still_works in (STATE_LIST, PENDING_LIST):
                    self.assertContains(response, f'href="{still_works}"', status_code=503)
                self.assertTemplateUsed(response, "admin/xblock_history/unavailable.html")

    def assert_the_other_pages_work(self):
        set_answer("written meanwhile")
        pages = {
            STATE_LIST: ["amara"],
            reverse("admin:xblock_kvstore_studentmodule_change", args=[self.row.pk]): [
                "block-v1:",
                "written meanwhile",
                "The history cannot be read now.",
                "In total, 1 version is pending delivery.",
            ],
            PENDING_LIST: ["amara"],
            reverse("admin:xblock_history_pendinghistory_change", args=[PendingHistory.objects.get().pk]): ["amara"],
        }
        for url, texts in pages.items():
            response = self.client.get(url)
            for text in texts:
                with self.subTest(url=url, text=text):
                    self.assertContains(response, text)


class Missing(Pages, TestCase):
    """Everything rolls back on both aliases."""

    def test_without_the_alias_pages_of_the_history_answer_503(self):
        with alias_missing():
            self.assert_unavailable([*self.lists(), *self.pages_of_the_block()])
            self.assert_names_the_lists_that_work(self.lists())

    def test_without_the_alias_the_other_pages_work(self):
        with alias_missing():
            self.assert_the_other_pages_work()

    def test_lists_that_the_user_may_not_view_are_not_named(self):
        helper = UserFactory(is_staff=True)
        helper.user_permissions.set(Permission.objects.filter(codename="view_studentmodulehistory"))
        self.client.force_login(helper)
        with alias_missing():
            response = self.client.get(HISTORY_LIST)
        self.assertContains(response, UNAVAILABLE, status_code=503)
        self.assertNotContains(response, f'href="{STATE_LIST}"', status_code=503)

    def test_without_the_permission_the_answer_is_403(self):
        self.client.force_login(UserFactory(is_staff=True))
        with alias_missing():
            self.assertEqual(self.client.get(HISTORY_LIST).status_code, 403)


class NotMigrated(Pages, TransactionTestCase):
    """Takes the table of entries away, which commits."""

    def test_without_its_table_the_history_answers_503_and_the_other_pages_work(self):
        with history_outage():
            self.assert_unavailable([*self.lists(), *self.pages_of_the_block()])
            self.assert_names_the_lists_that_work(self.lists())
            self.assert_the_other_pages_work()
        self.assertContains(self.client.get(HISTORY_LIST), "amara")
        self.assertContains(self.client.get(self.block("timeline")), "written meanwhile")
