"""Without the history database every page of a block says so or works; none fails."""

from django.test import TestCase, TransactionTestCase
from django.urls import reverse

from kvstore.api import DjangoXBlockUserStateClient
from kvstore.models import StudentModule
from kvstore.testing import UserFactory
from tests.history.outages import ALIAS, alias_missing, history_outage
from tests.kvstore.cache.blocks import usage

BLOCK = usage("block")


class BlockPages:
    databases = {"default", ALIAS}

    def setUp(self):
        self.client.force_login(UserFactory(username="staff", is_staff=True, is_superuser=True))
        UserFactory(username="amara")
        for answer in ("a", "b"):
            self.write(answer)
        self.row = StudentModule.objects.get()

    def write(self, answer):
        DjangoXBlockUserStateClient().set("amara", BLOCK, {"answer": answer})

    def block(self, name, *args):
        return reverse(f"admin:xblock_history_{name}", args=[self.row.pk, *args])

    def assert_each_page_says_so(self):
        for url in (
            self.block("timeline"),
            self.block("version", 1),
            self.block("state", 1),
            self.block("restore", 1),
            f"{self.block('compare')}?a=1&b=2",
            f"{self.block('moment')}?moment=2026-01-01",
            f"{self.block('timeline_export')}?format=csv",
        ):
            with self.subTest(url=url):
                self.assertContains(self.client.get(url), "The history database does not answer", status_code=503)

    def assert_the_row_is_shown(self):
        self.write("written meanwhile")
        response = self.client.get(reverse("admin:xblock_kvstore_studentmodule_change", args=[self.row.pk]))
        self.assertContains(response, "written meanwhile")
        self.assertContains(response, "The history cannot be read now.")
        self.assertContains(response, "1 version in all waits for delivery.")


class Missing(BlockPages, TestCase):
    """Everything rolls back on both aliases."""

    def test_each_page_says_so_or_works(self):
        with alias_missing():
            self.assert_each_page_says_so()
            self.assert_the_row_is_shown()


class NotMigrated(BlockPages, TransactionTestCase):
    """Takes the table of entries away, which commits."""

    def test_each_page_says_so_or_works(self):
        with history_outage():
            self.assert_each_page_says_so()
            self.assert_the_row_is_shown()
        self.assertContains(self.client.get(self.block("timeline")), "written meanwhile")
