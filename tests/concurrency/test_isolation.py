"""A write after a concurrent change, at each isolation level: it merges or is refused, and never overwrites.

TransactionTestCase, because a second connection must commit meanwhile.
"""

import json
import threading
from contextlib import contextmanager
from unittest import skipUnless

from django.db import connection, connections, transaction
from django.test import TransactionTestCase

from history.api import timeline
from kvstore.api import DjangoXBlockUserStateClient, WriteConflict
from kvstore.models import StudentModule
from kvstore.testing import UserFactory
from tests.history.outages import reconnected
from tests.kvstore.cache.blocks import usage

BLOCK = usage("block")


@skipUnless(connection.vendor in ("postgresql", "mysql"), "SQLite has one level")
class Levels(TransactionTestCase):
    databases = {"default", "student_module_history"}

    def setUp(self):
        self.user = UserFactory()
        self.set(first=0)

    def set(self, **fields):
        DjangoXBlockUserStateClient(self.user).set(self.user.username, BLOCK, fields)

    @contextmanager
    def level(self, name, *variables):
        """Reconnect with this isolation level, and with variables of a MySQL session."""
        options = dict(connection.settings_dict["OPTIONS"])
        if variables:
            options["init_command"] = ", ".join([options["init_command"], *variables])
        if connection.vendor == "postgresql":
            from django.db.backends.postgresql.psycopg_any import IsolationLevel

            level = IsolationLevel[name.upper().replace(" ", "_")]
        else:
            level = name
        with reconnected("default", OPTIONS={**options, "isolation_level": level}):
            yield

    def set_meanwhile(self):
        """Write another field on a connection of another thread, and commit."""

        def write():
            try:
                self.set(meanwhile=1)
            finally:
                connections.close_all()

        thread = threading.Thread(target=write)
        thread.start()
        thread.join()

    def write_after_a_read(self):
        with transaction.atomic():
            self.assertEqual(StudentModule.objects.get().version, 1)
            self.set_meanwhile()
            self.set(mine=2)

    def test_a_first_write_after_a_read_succeeds_or_is_a_conflict(self):
        StudentModule.objects.get().delete()
        for name in ("read committed", "repeatable read"):
            with self.subTest(name), self.level(name):
                try:
                    with transaction.atomic():
                        self.assertFalse(StudentModule.objects.exists())
                        self.set_meanwhile()
                        self.set(mine=2)
                except WriteConflict:
                    self.assertNotEqual(name, "read committed")
                row = StudentModule.objects.get()
                self.assertIn(json.loads(row.state), ({"meanwhile": 1}, {"meanwhile": 1, "mine": 2}))
                row.delete()

    def assert_stored(self, state, *versions):
        self.assertEqual(json.loads(StudentModule.objects.get().state), state)
        self.assertEqual([entry.version for entry in timeline(self.user, BLOCK)], list(versions))

    def test_read_committed_merges(self):
        with self.level("read committed"):
            self.write_after_a_read()
        self.assert_stored({"first": 0, "meanwhile": 1, "mine": 2}, 3, 2, 1)

    def test_repeatable_read_merges_on_mariadb_and_is_refused_on_postgresql(self):
        with self.level("repeatable read"):
            if connection.vendor == "mysql":
                self.write_after_a_read()
                self.assert_stored({"first": 0, "meanwhile": 1, "mine": 2}, 3, 2, 1)
                return
            with self.assertRaises(WriteConflict):
                self.write_after_a_read()
        self.assert_stored({"first": 0, "meanwhile": 1}, 2, 1)

    @skipUnless(connection.vendor == "mysql", "a variable of MariaDB")
    def test_repeatable_read_with_snapshot_isolation_is_refused(self):
        with connection.cursor() as cursor:
            if not cursor.execute("SHOW VARIABLES LIKE 'innodb_snapshot_isolation'"):
                self.skipTest("this server has no innodb_snapshot_isolation")
        with self.level("repeatable read", "innodb_snapshot_isolation=ON"), self.assertRaises(WriteConflict):
            self.write_after_a_read()
        self.assert_stored({"first": 0, "meanwhile": 1}, 2, 1)

    def test_a_write_of_its_own_succeeds_at_every_level(self):
        for name in ("read committed", "repeatable read", "serializable"):
            with self.subTest(name), self.level(name):
                self.assertEqual(StudentModule.objects.count(), 1)
                self.set(**{name.replace(" ", "_"): 1})
        self.assert_stored({"first": 0, "read_committed": 1, "repeatable_read": 1, "serializable": 1}, 4, 3, 2, 1)
