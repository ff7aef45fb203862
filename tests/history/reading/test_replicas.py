"""In a project that reads from a replica, the history is read from the databases that it is written to.

A replica lags: its row may be at version 2 when version 3 is committed, and the timeline would end there.
"""

from django.db import OperationalError, router
from django.test import TestCase, override_settings
from django.urls import reverse
from django.utils import timezone

from history.api import as_of, deliver, health, restore, timeline
from history.database.circuit_breaker import breaker
from history.models import PendingHistory, StudentModuleHistory
from history.verification.verify import Verification, verify
from kvstore.api import DjangoXBlockUserStateClient
from kvstore.models import StudentModule
from kvstore.testing import UserFactory
from tests.admin.lists.case import HISTORY_LIST, PENDING_LIST, STATE_LIST, Lists
from tests.history.commands import run_command
from tests.history.outages import fresh_breaker
from tests.kvstore.cache.blocks import usage

REPLICA = "replica"
"""not in DATABASES, so a read from it fails the test"""


class ReadsFromReplica:
    """A router of a host project. It answers reads alone."""

    def db_for_read(self, model, **hints):
        return REPLICA if model in (StudentModule, PendingHistory, StudentModuleHistory) else None


class Replicas(Lists, TestCase):
    """TestCase rolls back both aliases."""

    def setUp(self):
        self.learner = UserFactory(username="learner")
        with fresh_breaker():
            self.write(1)
            self.write(2)
            breaker.record_failure(OperationalError("down"))
            self.write(3)
        routers = [f"{__name__}.ReadsFromReplica", "routers.StudentModuleHistoryRouter"]
        self.enterContext(override_settings(DATABASE_ROUTERS=routers))

    def write(self, value):
        self.set("learner", usage("block"), a=value)

    def entries(self):
        return list(timeline(self.learner, usage("block")))

    def test_the_router_answers_reads_from_the_replica(self):
        for model in (StudentModule, PendingHistory, StudentModuleHistory):
            self.assertEqual(router.db_for_read(model), REPLICA)
        self.assertEqual(router.db_for_write(StudentModule), "default")

    def test_the_timeline_has_every_committed_version(self):
        self.assertEqual([entry.version for entry in self.entries()], [3, 2, 1])

    def test_the_version_of_a_moment(self):
        self.assertEqual(as_of(self.learner, usage("block"), timezone.now()).version, 3)

    def test_the_history_of_the_client(self):
        states = DjangoXBlockUserStateClient().get_history("learner", usage("block"))
        self.assertEqual([found.state for found in states], [{"a": 3}, {"a": 2}, {"a": 1}])

    def test_the_timeline_of_the_command(self):
        shown = run_command("learner_history", "learner", str(usage("block")))
        self.assertEqual(shown.message, "")
        self.assertIn("version 3", shown.output)

    def test_a_version_is_restored(self):
        first = self.entries()[-1]
        self.assertEqual(restore(first, expected_version=3, reason="lost"), 4)
        self.assertEqual([entry.action for entry in self.entries()], ["restored", "changed", "changed", "created"])

    def test_a_write_after_the_router_reads_elsewhere(self):
        self.write(4)
        self.assertEqual([entry.version for entry in self.entries()], [4, 3, 2, 1])

    def test_health(self):
        found = health()
        self.assertEqual((found.reachable, found.migrated, found.pending, found.error), (True, True, 1, ""))

    def test_a_delivery(self):
        self.assertEqual(deliver().delivered, 1)
        self.assertEqual([entry.version for entry in self.entries()], [3, 2, 1])

    def test_verification(self):
        progress = Verification()
        self.assertEqual(list(verify(progress)), [])
        self.assertEqual((progress.rows, progress.entries), (1, 3))

    def test_the_lists_of_the_admin(self):
        self.sign_in()
        self.assertEqual([row.version for row in self.found(STATE_LIST)], [3])
        self.assertEqual([entry.version for entry in self.found(PENDING_LIST)], [3])
        self.assertEqual([entry.version for entry in self.found(HISTORY_LIST)], [2, 1])

    def test_the_pages_of_one_row(self):
        self.sign_in()
        row = StudentModule.objects.using("default").get()
        for name, key in (
            ("admin:xblock_kvstore_studentmodule_change", row.pk),
            (
                "admin:xblock_history_studentmodulehistory_change",
                StudentModuleHistory.objects.using("student_module_history").get(version=2).pk,
            ),
            ("admin:xblock_history_pendinghistory_change", PendingHistory.objects.using("default").get().pk),
        ):
            with self.subTest(name=name):
                self.page(reverse(name, args=[key]))
