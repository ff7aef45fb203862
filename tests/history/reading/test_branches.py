"""Versions from after the backup that `default` was restored from: listed separately, found by digest, restored.

TransactionTestCase, because each version is of a transaction of its own, which proves the one before it.
"""

from django.test import TransactionTestCase

from history.api import RestoreRefused, restore, timeline
from history.models import StudentModuleHistory
from history.reading.outline import recent_versions
from history.reading.ownership import find_owner
from kvstore.api import DjangoXBlockUserStateClient
from kvstore.models import StudentModule
from kvstore.querysets import unguarded
from kvstore.testing import UserFactory
from tests.history.outages import rolled_back
from tests.kvstore.cache.blocks import usage

BLOCK = usage("block")


class Branches(TransactionTestCase):
    databases = {"default", "student_module_history"}

    def setUp(self):
        self.learner = UserFactory()
        self.staff = UserFactory(is_staff=True, is_superuser=True)
        self.client.force_login(self.staff)
        self.set(1, 2)
        self.backup = unguarded(StudentModule, "default").values().get()
        self.set(3, 4)
        self.lost = list(StudentModuleHistory.objects.filter(version__gt=2).order_by("version"))
        unguarded(StudentModule, "default").update(**self.backup)

    def set(self, *answers):
        for answer in answers:
            DjangoXBlockUserStateClient(self.learner).set(self.learner.username, BLOCK, {"answer": answer})

    def branch(self):
        found = recent_versions(find_owner(self.backup["id"])).branch
        return [(version.entry.version, version.is_proved) for version in found]

    def url(self, page=""):
        return f"/admin/xblock_history/studentmodulehistory/timeline/{self.backup['id']}/{page}"

    def test_the_timeline_is_that_of_the_present_state(self):
        self.assertEqual([entry.version for entry in timeline(self.learner, BLOCK)], [2, 1])
        self.assertEqual(self.branch(), [(4, False), (3, True)])
        self.set(5, 6)
        found = [(entry.version, entry.state) for entry in timeline(self.learner, BLOCK)][:2]
        self.assertEqual(found, [(4, '{"answer":6}'), (3, '{"answer":5}')])
        self.assertEqual(self.branch(), [(4, False), (3, True)])

    def test_versions_that_were_rolled_back_are_in_no_branch(self):
        with rolled_back():
            self.set("never", "never again")
        self.set(5)
        with rolled_back():
            self.set("never")
        self.assertEqual(self.branch(), [(4, False), (3, True)])

    def test_the_pages_link_to_each_version_of_the_branch(self):
        self.set(5, 6)
        text = self.client.get(self.url()).content.decode()
        for entry in self.lost:
            address = self.url(f"{entry.version}/?digest={entry.digest.hex()[:16]}")
            self.assertIn(f'href="{address}"', text)
            page = self.client.get(address)
            self.assertContains(page, "does not descend from this version")
            self.assertContains(page, entry.digest.hex())
            downloaded = self.client.get(self.url(f"{entry.version}/state/?digest={entry.digest.hex()[:16]}"))
            self.assertEqual(downloaded.content.decode(), entry.state)
        self.assertNotContains(self.client.get(self.url("3/")), "does not descend")
        older = self.client.get(self.url("?older=3"))
        self.assertNotContains(older, "Versions on other branches")

    def test_no_digest_refers_to_a_rolled_back_version(self):
        with rolled_back():
            self.set("never")
        phantom = StudentModuleHistory.objects.get(state='{"answer":"never"}')
        for digest in (phantom.digest.hex(), "0" * 16, "x", "0", "01' OR 1=1"):
            with self.subTest(digest):
                self.assertEqual(self.client.get(self.url("3/"), {"digest": digest}).status_code, 404)
        with self.assertRaises(RestoreRefused):
            restore(phantom, expected_version=2, reason="never")

    def test_a_version_of_the_branch_is_compared_and_restored(self):
        self.set(5)
        key = f"{self.backup['id']}.4.{self.lost[1].digest.hex()[:16]}"
        compared = self.client.get(self.url("compare/"), {"a": "3", "b": key})
        self.assertContains(compared, "answer")
        address = self.url(f"4/restore/?digest={self.lost[1].digest.hex()[:16]}")
        self.assertContains(self.client.get(address), "Later versions stay in the history.")
        self.client.post(address, {"reason": "backup", "expected_version": 3})
        newest = next(timeline(self.learner, BLOCK))
        self.assertEqual((newest.version, newest.action, newest.state), (4, "restored", '{"answer":4}'))
        self.assertEqual((newest.source_version, newest.reason), (4, "backup"))
        self.assertEqual(restore(self.lost[0], expected_version=4, reason="again"), 5)
