"""In a project that reads from a replica, the state of one learner, the history and the admin are read from the
databases that they are written to.

A replica lags: its row may be at version 2 when version 3 is committed, and the timeline would end there.
"""

from unittest import mock

from django.contrib.auth import get_user_model
from django.db import OperationalError, router
from django.test import TestCase, override_settings
from django.urls import reverse
from django.utils import timezone

from history.api import as_of, deliver, health, restore, timeline
from history.database.circuit_breaker import breaker
from history.models import PendingHistory, StudentModuleHistory
from history.verification.verify import Verification, verify
from kvstore.admin.search.block_ids import find_blocks
from kvstore.api import DjangoKeyValueStore, DjangoXBlockUserStateClient, FieldDataCache, get_score, set_score
from kvstore.models import FieldRow, StudentModule
from kvstore.staff.users import names_for
from kvstore.testing import UserFactory
from tests.admin.lists.case import HISTORY_LIST, PENDING_LIST, STATE_LIST, Lists
from tests.history.commands import run_command
from tests.history.outages import fresh_breaker
from tests.kvstore.cache.blocks import COURSE, NAMED_SCOPES, block, key_for, usage

REPLICA = "replica"
"""not in DATABASES, so a read from it fails the test"""


class ReadsFromReplica:
    """A router of a host project. It answers reads alone."""

    users = REPLICA

    def db_for_read(self, model, **hints):
        if model is get_user_model():
            return self.users
        is_of_store = model in (StudentModule, PendingHistory, StudentModuleHistory) or issubclass(model, FieldRow)
        return REPLICA if is_of_store else None


class Replicas(Lists, TestCase):
    """TestCase rolls back both aliases."""

    def setUp(self):
        self.learner = UserFactory(username="learner")
        with fresh_breaker():
            self.write(1)
            self.write(2)
            breaker.record_failure(OperationalError("down"))
            self.write(3)
        self.staff = UserFactory(username="staff", is_staff=True, is_superuser=True)
        routers = [f"{__name__}.ReadsFromReplica", "routers.StudentModuleHistoryRouter"]
        self.enterContext(override_settings(DATABASE_ROUTERS=routers))

    def sign_in(self):
        """Sign in; the authentication reads the user as the router of the project says."""
        self.enterContext(mock.patch.object(ReadsFromReplica, "users", "default"))
        self.client.force_login(self.staff)

    def write(self, value):
        self.set("learner", usage("block"), a=value)

    def entries(self):
        return list(timeline(self.learner, usage("block")))

    def test_the_router_answers_reads_from_the_replica(self):
        for model in (StudentModule, PendingHistory, StudentModuleHistory):
            self.assertEqual(router.db_for_read(model), REPLICA)
        self.assertEqual(router.db_for_write(StudentModule), "default")

    def test_the_cache_of_every_scope(self):
        scopes = [key_for(scope, self.learner.pk) for scope in NAMED_SCOPES]
        for value in ("first", "second"):
            store = DjangoKeyValueStore(FieldDataCache([block(scopes=NAMED_SCOPES)], COURSE, self.learner))
            for key in scopes:
                self.assertEqual(store.has(key), value == "second")
            store.set_many(dict.fromkeys(scopes, value))

    def test_the_client(self):
        self.assertEqual(DjangoXBlockUserStateClient().get("learner", usage("block")).state, {"a": 3})

    def test_a_score(self):
        set_score(self.learner.pk, usage("block"), 1, 2)
        self.assertEqual(get_score(self.learner.pk, usage("block"))[:2], (1, 2))

    def test_names_and_blocks_on_pages(self):
        self.assertEqual(list(names_for({self.learner.pk})), [self.learner.pk])
        self.assertEqual(find_blocks("block").keys, [usage("block")])

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
