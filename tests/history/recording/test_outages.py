"""An outage of the history database costs a learner nothing, for every way to write the state.

TransactionTestCase: the outages are real, and pending entries must be committed.
"""

from unittest import mock, skipIf

from django.db import DatabaseError, connection
from django.test import TransactionTestCase, override_settings
from xblock.fields import Scope

from history.api import deliver, timeline
from history.database.circuit_breaker import breaker
from history.models import PendingHistory, StudentModuleHistory
from kvstore.api import DjangoKeyValueStore, DjangoXBlockUserStateClient, FieldDataCache, set_score
from kvstore.models import StudentModule
from kvstore.testing import StudentModuleFactory, UserFactory, assert_queries
from tests.history.outages import alias_missing, end_session, fresh_breaker, history_outage
from tests.kvstore.cache.blocks import COURSE, block, key_for, usage

HISTORY = "student_module_history"


class Outages(TransactionTestCase):
    databases = {"default", HISTORY}

    def setUp(self):
        self.user = UserFactory()
        self.client = DjangoXBlockUserStateClient(self.user)
        self.row = StudentModuleFactory(
            student=self.user, module_state_key=usage("block"), state='{"answer":1}', grade=1.0
        )

    def save(self):
        self.row.refresh_from_db()
        self.row.grade = 0.5
        self.row.save()

    def test_every_way_of_writing_goes_on(self):
        name = self.user.username
        writes = {
            "set": lambda: self.client.set(name, usage("block"), {"answer": 2}),
            "set on a missing row": lambda: self.client.set(name, usage("new"), {"answer": 2}),
            "set of many": lambda: self.client.set_many(name, {usage(n): {"a": 1} for n in ("block", "new")}),
            "delete": lambda: self.client.delete(name, usage("block")),
            "set_score": lambda: set_score(self.user.pk, usage("block"), 0, 2),
            "save": self.save,
            "bulk_create": lambda: StudentModule.objects.bulk_create(
                [StudentModuleFactory.build(student=self.user, module_state_key=usage("bulk"))]
            ),
            "delete of the row": lambda: StudentModule.objects.get(module_state_key=usage("bulk")).delete(),
        }
        with history_outage():
            for way, write in writes.items():
                with self.subTest(way=way):
                    write()
        for key in ("block", "new", "bulk"):
            versions_shown = [entry.version for entry in timeline(self.user, usage(key))]
            self.assertEqual(versions_shown, list(range(len(versions_shown), 0, -1)))
        waited = PendingHistory.objects.count()
        self.assertEqual(deliver().delivered, waited)
        for row in StudentModule.objects.all():
            versions_shown = [entry.version for entry in timeline(self.user, row.usage_key)]
            self.assertEqual(versions_shown, list(range(row.version, 0, -1)))

    def test_a_learner_may_be_deleted(self):
        learner_id = self.user.pk
        with history_outage():
            self.user.delete()
        self.assertEqual([entry.action for entry in timeline(learner_id, usage("block"))], ["deleted", "created"])

    def test_an_alias_that_is_missing_is_an_outage(self):
        with alias_missing():
            self.client.set(self.user.username, usage("block"), {"answer": 2})
        self.assertEqual(PendingHistory.objects.get().state, '{"answer":2}')

    def test_a_block_does_not_notice(self):
        fields = (Scope.user_state, Scope.preferences)
        store = DjangoKeyValueStore(FieldDataCache([block(usage("block"), fields)], COURSE, self.user))
        keys = {key_for(scope, self.user.pk): "new" for scope in fields}
        with history_outage():
            store.set_many(keys)
            store.delete(key_for(Scope.user_state, self.user.pk, "answer"))
        for key in keys:
            self.assertEqual(store.get(key), "new")
        self.assertEqual(StudentModule.objects.get().state, '{"field":"new"}')

    def test_only_the_first_write_asks_the_database(self):
        with history_outage():
            self.client.set(self.user.username, usage("block"), {"answer": 2})
            with assert_queries(default=5):
                self.client.set(self.user.username, usage("block"), {"answer": 3})
            self.assertEqual(breaker.state, "open")

    def test_an_interrupted_write_is_neither_a_failure_nor_a_success(self):
        with fresh_breaker():
            with mock.patch("history.recording.write_ahead.write_entries", side_effect=KeyboardInterrupt):
                self.assertRaises(KeyboardInterrupt, self.client.set, self.user.username, usage("block"), {"answer": 2})
            self.assertEqual(breaker.state, "closed")
            self.client.set(self.user.username, usage("block"), {"answer": 3})
        self.assertFalse(PendingHistory.objects.exists())

    @override_settings(HISTORY_RETRY_AFTER=0)
    def test_a_probe_that_is_interrupted_is_made_by_the_next_write(self):
        with fresh_breaker():
            breaker.record_failure(DatabaseError("down"))
            with mock.patch("history.recording.write_ahead.write_entries", side_effect=KeyboardInterrupt):
                self.assertRaises(KeyboardInterrupt, self.client.set, self.user.username, usage("block"), {"answer": 2})
            self.client.set(self.user.username, usage("block"), {"answer": 3})
            self.assertEqual(breaker.state, "closed")
        self.assertFalse(PendingHistory.objects.exists())

    def test_types_that_are_not_recorded_have_no_pending_entries(self):
        with history_outage():
            self.client.set(self.user.username, usage("block", "html"), {"a": 1})
        self.assertFalse(PendingHistory.objects.exists())

    @skipIf(connection.vendor == "sqlite", "SQLite has no server that could end a session")
    def test_a_kept_connection_that_died_is_replaced(self):
        end_session(HISTORY)
        with fresh_breaker():
            self.client.set(self.user.username, usage("block"), {"answer": 2})
            self.assertEqual(breaker.state, "closed")
        self.assertFalse(PendingHistory.objects.exists())
        self.assertEqual(StudentModuleHistory.objects.count(), 2)
