"""A write that the database sacrifices to another is made again, or is refused by a typed error with nothing stored.

TransactionTestCase, because two connections must meet each other's locks.
"""

import json
import threading
import time
from unittest import skipUnless

from django.db import connection, connections, transaction
from django.test import TransactionTestCase
from xblock.fields import Scope

from history.api import timeline
from kvstore.api import DjangoKeyValueStore, DjangoXBlockUserStateClient, FieldDataCache, SaveFailed, WriteConflict
from kvstore.models import StudentModule
from kvstore.querysets import unguarded
from kvstore.testing import UserFactory
from tests.kvstore.cache.blocks import COURSE, block, key_for, usage


@skipUnless(connection.vendor in ("postgresql", "mysql"), "SQLite locks the whole database, so nothing can cross")
class Deadlocks(TransactionTestCase):
    databases = {"default", "student_module_history"}

    def setUp(self):
        self.user = UserFactory()
        self.client = DjangoXBlockUserStateClient(self.user)
        self.first, self.second = usage("first"), usage("second")
        self.client.set_many(self.user.username, {self.first: {"a": 0}, self.second: {"a": 0}})

    def row(self, key):
        return unguarded(StudentModule, "default").filter(module_state_key=key)

    def crossing(self):
        """Lock the second row, let the writer take the first and wait for the second, then ask for the first."""
        locked = threading.Event()

        def cross():
            try:
                with transaction.atomic(), connection.cursor() as cursor:
                    if connection.vendor == "postgresql":
                        # The writer detects the deadlock, so its transaction is the one that is rolled back.
                        cursor.execute("SET LOCAL deadlock_timeout = '30s'")
                    self.row(self.second).update(done="i", max_grade=1)
                    locked.set()
                    time.sleep(0.4)
                    self.row(self.first).update(done="i", max_grade=1)
            finally:
                connections.close_all()

        thread = threading.Thread(target=cross)
        thread.start()
        self.addCleanup(thread.join)
        self.assertTrue(locked.wait(10))

    def values(self):
        return [json.loads(row.state)["a"] for row in StudentModule.objects.order_by("pk")]

    def test_a_write_of_its_own_is_tried_again(self):
        self.crossing()
        with self.assertLogs("kvstore", "INFO") as logs:
            self.client.set_many(self.user.username, {self.first: {"a": 1}, self.second: {"a": 1}})
        self.assertIn("tried again", logs.output[0])
        self.assertEqual(self.values(), [1, 1])
        self.assertEqual([entry.version for entry in timeline(self.user, self.first)], [2, 1])

    def test_a_save_of_several_scopes_is_tried_again(self):
        store = DjangoKeyValueStore(
            FieldDataCache([block(key, [Scope.user_state]) for key in (self.first, self.second)], COURSE, self.user)
        )
        states = {key_for(Scope.user_state, self.user.pk, "a", key): 1 for key in (self.first, self.second)}
        self.crossing()
        store.set_many(states | {key_for(Scope.user_info, self.user.pk): "seen"})
        self.assertEqual(self.values(), [1, 1])

    def test_inside_the_caller_s_transaction_it_is_refused(self):
        store = DjangoKeyValueStore(FieldDataCache([], COURSE, self.user))
        states = {key_for(Scope.user_state, self.user.pk, "a", key): 1 for key in (self.first, self.second)}
        self.crossing()
        with self.assertRaises(SaveFailed) as refused, transaction.atomic():
            store.set_many(states)
        self.assertIsInstance(refused.exception.__cause__, WriteConflict)
        self.assertEqual(refused.exception.saved_field_names, [])
        self.assertEqual(self.values(), [0, 0])
        self.assertEqual([entry.version for entry in timeline(self.user, self.first)], [1])
