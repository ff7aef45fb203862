"""Without its database the history's pages say so, and every other page works."""

from django.contrib.auth.models import Permission
from django.test import TestCase, TransactionTestCase
from django.urls import reverse

from history.models import PendingHistory, StudentModuleHistory
from kvstore.api import DjangoXBlockUserStateClient
from kvstore.models import StudentModule
from kvstore.testing import UserFactory
from tests.admin.lists.lists import HISTORY_LIST, STATE_LIST, WAITING_LIST
from tests.history.outages import ALIAS, alias_missing, history_outage
from tests.kvstore.cache.blocks import usage


class Pages:
    databases = {"default", ALIAS}

    def setUp(self):
        self.client.force_login(UserFactory(username="staff", is_staff=True, is_superuser=True))
        UserFactory(username="amara")
        DjangoXBlockUserStateClient().set("amara", usage("block"), {"answer": "a"})
        self.entry = reverse(
            "admin:xblock_history_studentmodulehistory_change", args=[StudentModuleHistory.objects.get().pk]
        )

    def assert_said(self, url):
        response = self.client.get(url)
        self.assertContains(response, "The history database does not answer", status_code=503)
        for still_works in (STATE_LIST, WAITING_LIST):
            self.assertContains(response, f'href="{still_works}"', status_code=503)
        self.assertTemplateUsed(response, "admin/xblock_history/unavailable.html")

    def assert_works(self):
        DjangoXBlockUserStateClient().set("amara", usage("block"), {"answer": "b"})
        state, waiting = StudentModule.objects.get(), PendingHistory.objects.get()
        pages = {
            STATE_LIST: "amara",
            reverse("admin:xblock_kvstore_studentmodule_change", args=[state.pk]): "block-v1:",
            WAITING_LIST: "amara",
            reverse("admin:xblock_history_pendinghistory_change", args=[waiting.pk]): "amara",
        }
        for url, text in pages.items():
            with self.subTest(url=url):
                self.assertContains(self.client.get(url), text)


class Missing(Pages, TestCase):
    """Everything rolls back on both aliases."""

    def test_without_the_alias_the_history_says_so(self):
        with alias_missing():
            for url in (HISTORY_LIST, f"{HISTORY_LIST}?q=learner:amara", self.entry):
                with self.subTest(url=url):
                    self.assert_said(url)

    def test_without_the_alias_the_other_pages_work(self):
        with alias_missing():
            self.assert_works()

    def test_lists_are_named_to_those_who_may_view_them(self):
        helper = UserFactory(is_staff=True)
        helper.user_permissions.set(Permission.objects.filter(codename="view_studentmodulehistory"))
        self.client.force_login(helper)
        with alias_missing():
            response = self.client.get(HISTORY_LIST)
        self.assertContains(response, "The history database does not answer", status_code=503)
        self.assertNotContains(response, f'href="{STATE_LIST}"', status_code=503)

    def test_who_may_not_view_the_history_learns_nothing_of_it(self):
        self.client.force_login(UserFactory(is_staff=True))
        with alias_missing():
            self.assertEqual(self.client.get(HISTORY_LIST).status_code, 403)


class NotMigrated(Pages, TransactionTestCase):
    """Takes the table of entries away, which commits."""

    def test_without_its_table_the_history_says_so_and_the_other_pages_work(self):
        with history_outage():
            for url in (HISTORY_LIST, self.entry):
                with self.subTest(url=url):
                    self.assert_said(url)
            self.assert_works()
        self.assertContains(self.client.get(HISTORY_LIST), "amara")
