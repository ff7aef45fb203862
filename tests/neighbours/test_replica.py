"""A replica of ``default`` that lags behind does not hide a committed version.

The replica is a standby of PostgreSQL. It receives every change, and the tests pause its replay.
"""

import environ
from django.db import connections
from django.test import Client, override_settings
from django.urls import reverse
from django.utils import timezone
from xblock.fields import Scope

from history.api import as_of, restore, timeline
from kvstore.api import DjangoKeyValueStore, DjangoXBlockUserStateClient, FieldDataCache, get_score
from kvstore.models import StudentModule
from kvstore.testing import UserFactory
from tests.faults.case import FaultCase
from tests.faults.servers.clusters import Standby
from tests.kvstore.cache.blocks import COURSE, block, key_for, usage

REPLICA = "replica"
TIMELINE_READS = 1_000
LISTS = ("xblock_kvstore_studentmodule", "xblock_history_studentmodulehistory")


class ReadsFromReplica:
    """The router of a project: sends every read that Django asks it about to the replica."""

    def db_for_read(self, model, **hints):
        return REPLICA

    def db_for_write(self, model, **hints):
        return "default"

    def allow_relation(self, obj1, obj2, **hints):
        return True


class PausedReplica(FaultCase):
    """A server of its own replicates the state; its replay is paused in each test."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.standby = Standby(cls.stage.state)
        cls.addClassCleanup(cls.standby.remove)
        replica = connections.settings["default"] | environ.Env.db_url_config(cls.standby.url)
        connections.settings[REPLICA] = replica
        cls.addClassCleanup(connections.settings.pop, REPLICA)
        cls.addClassCleanup(lambda: connections[REPLICA].close())
        routers = ["routers.StudentModuleHistoryRouter", f"{__name__}.ReadsFromReplica"]
        cls.enterClassContext(override_settings(DATABASE_ROUTERS=routers))

    def setUp(self):
        self.standby.catch_up()
        super().setUp()
        self.user = UserFactory()
        self.key = usage("replicated")
        self.set(1)
        self.standby.catch_up()
        self.standby.pause_replay()
        self.addCleanup(self.standby.resume_replay)
        self.set(2)

    def set(self, value):
        DjangoXBlockUserStateClient(self.user).set(self.user.username, self.key, {"answer": value})

    def versions(self):
        return [entry.version for entry in timeline(self.user, self.key)]

    def row_on_replica(self):
        return StudentModule.objects.get(student=self.user.pk)

    def test_reads_of_timelines_while_others_write(self):
        (writer,) = self.start_writers(1)
        newest = 2
        for number in range(TIMELINE_READS):
            if number % 10 == 0:
                newest += 1
                self.set(newest)
            self.assertEqual(self.versions(), list(range(newest, 0, -1)))
        self.assertTrue(writer.alive, writer.output)
        writer.kill()
        self.assertEqual(self.row_on_replica().version, 1, "the replica has the newest version")
        self.stage.wait_until_quiet()
        # The comparison reads the rows as a report does.
        self.standby.resume_replay()
        self.standby.catch_up()
        self.assert_nothing_lost()

    def test_a_version_at_a_time_and_a_restore(self):
        first, second = reversed(list(timeline(self.user, self.key)))
        self.assertEqual(as_of(self.user, self.key, timezone.now()).version, 2)
        self.assertEqual(restore(first, expected_version=second.version, reason="lost"), 3)
        self.assertEqual(self.versions(), [3, 2, 1])

    def test_the_state_that_the_next_write_depends_on(self):
        client = DjangoXBlockUserStateClient()
        cache = FieldDataCache([block(self.key, [Scope.user_state])], COURSE, self.user)
        read = DjangoKeyValueStore(cache).get(key_for(Scope.user_state, self.user.pk, "answer", self.key))
        self.assertEqual(read, 2)
        self.assertEqual(client.get(self.user.username, self.key).state, {"answer": 2})
        self.assertIsNotNone(get_score(self.user.pk, self.key))

    def test_a_learner_that_the_replica_does_not_have(self):
        self.user = UserFactory()
        self.set(1)
        self.assertEqual(self.versions(), [1])

    def test_reports_are_read_from_the_replica(self):
        states = [found.state for found in DjangoXBlockUserStateClient().iter_all_for_block(self.key)]
        self.assertIn({"answer": 1}, states)
        self.assertEqual(self.row_on_replica().version, 1)

    def test_an_instance_from_the_replica_is_merged_when_it_is_saved(self):
        row = self.row_on_replica()
        row.grade, row.max_grade = 1, 2
        row.save()
        state = DjangoXBlockUserStateClient().get(self.user.username, self.key).state
        self.assertEqual((row.version, state), (3, {"answer": 2}))

    def test_the_pages_of_the_admin(self):
        staff = UserFactory(is_staff=True, is_superuser=True)
        # Django reads the session and the user, and these are the project's to route.
        self.standby.resume_replay()
        browser = Client()
        browser.force_login(staff)
        self.standby.catch_up()
        self.standby.pause_replay()
        self.set(3)
        row_id = StudentModule.objects.using("default").get(student=self.user.pk).pk
        for name in LISTS:
            page = browser.get(reverse(f"admin:{name}_changelist"), {"q": f"id:{row_id}"})
            self.assertEqual(page.context["cl"].result_list[0].version, 3, name)
        page = browser.get(reverse("admin:xblock_history_timeline", args=[row_id]))
        content = page.content.decode()
        self.assertIn("Version 3", content)
        self.assertIn(self.user.username, content)
