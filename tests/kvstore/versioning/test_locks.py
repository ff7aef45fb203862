"""A write that meets a lock waits for a limited time, then fails with a typed error.

TransactionTestCase, because another connection holds the lock.
"""

import logging
from unittest import mock

from django.db import connection
from django.test import TransactionTestCase
from xblock.fields import Scope

from kvstore.api import DjangoKeyValueStore, DjangoXBlockUserStateClient, FieldDataCache, SaveFailed, WriteConflict
from kvstore.models import StudentModule
from kvstore.testing import UserFactory
from kvstore.versioning import transactions
from tests.kvstore.cache.blocks import COURSE, block, key_for, usage
from tests.locks import impatient, locked

LOCK_TIMEOUTS = {
    "sqlite": ("PRAGMA busy_timeout", (5000,)),
    "postgresql": ("SHOW lock_timeout", ("5s",)),
    "mysql": ("SELECT @@innodb_lock_wait_timeout, @@lock_wait_timeout", (5, 5)),
}


class LockedState(TransactionTestCase):
    databases = {"default", "student_module_history"}

    def setUp(self):
        self.user = UserFactory()
        self.client = DjangoXBlockUserStateClient(self.user)
        self.client.set(self.user.username, usage("block"), {"a": 1})

    def state(self):
        return StudentModule.objects.get().state

    def write(self):
        self.client.set(self.user.username, usage("block"), {"a": 2})

    @mock.patch.object(transactions, "RETRY_SECONDS", 0)
    def test_a_write_fails_when_its_time_is_used_up(self):
        with impatient("default"), locked(StudentModule, "default"), self.assertRaises(WriteConflict) as failed:
            self.write()
        for part in ("1 attempt(s)", "Nothing was stored", "end the transaction", "docs/howto/outages.md"):
            self.assertIn(part, str(failed.exception))
        self.assertEqual(self.state(), '{"a":1}')

    @mock.patch.object(transactions, "RETRY_SECONDS", 0)
    def test_a_saved_row_fails_in_the_same_way(self):
        row = StudentModule.objects.get()
        row.grade = 1.0
        with impatient("default"), locked(StudentModule, "default"):
            self.assertRaises(WriteConflict, row.save)
        row.save()
        self.assertEqual((row.version, row.grade), (2, 1.0))

    @mock.patch.object(transactions, "RETRY_SECONDS", 0)
    def test_a_block_learns_that_nothing_was_saved(self):
        cache = FieldDataCache([block(usage("block"), [Scope.user_state])], COURSE, self.user)
        store = DjangoKeyValueStore(cache)
        key = key_for(Scope.user_state, self.user.pk, "a")
        with impatient("default"), locked(StudentModule, "default"), self.assertRaises(SaveFailed) as failed:
            store.set_many({key: 2})
        self.assertEqual(failed.exception.saved_field_names, [])
        self.assertIsInstance(failed.exception.__cause__, WriteConflict)
        self.assertEqual((store.get(key), self.state()), (1, '{"a":1}'))

    def test_a_write_is_tried_again_when_the_lock_is_gone(self):
        with impatient("default"), locked(StudentModule, "default") as unlock:
            handler = logging.Handler()
            handler.emit = lambda record: unlock()
            with self.assertLogs(transactions.logger, "INFO") as logs:
                # Gone with the block, as assertLogs puts the handlers back.
                transactions.logger.addHandler(handler)
                self.write()
        self.assertIn("tried again", logs.output[0])
        self.assertEqual(self.state(), '{"a":2}')

    def test_the_configured_project_waits_as_long_as_a_user_does(self):
        statement, expected = LOCK_TIMEOUTS[connection.vendor]
        connection.close()
        with connection.cursor() as cursor:
            cursor.execute(statement)
            self.assertEqual(cursor.fetchone(), expected)
