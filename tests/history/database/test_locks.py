"""A lock on the history database counts as an outage: one write waits for it, for a limited time.

TransactionTestCase, because another connection holds the lock and must see committed rows.
"""

import gc
import sqlite3
import time
from contextlib import contextmanager
from unittest import mock, skipUnless

from django.db import OperationalError, connection, connections
from django.test import TransactionTestCase, override_settings

from history.api import deliver, health, timeline
from history.database.circuit_breaker import breaker
from history.database.deadline import bounded
from history.exceptions import HistoryUnavailable
from history.models import PendingHistory, StudentModuleHistory
from kvstore.api import DjangoXBlockUserStateClient
from kvstore.models import StudentModule
from kvstore.testing import UserFactory, assert_queries
from tests.history.outages import fresh_breaker
from tests.kvstore.cache.blocks import usage
from tests.locks import impatient, locked

HISTORY = "student_module_history"

HISTORY_TIMEOUT = {"sqlite": 0.3, "postgresql": 2, "mysql": 5}[connection.vendor]
"""seconds; on the servers longer than the attempts that end by the lock timeout of ``impatient``"""


class LockedHistory(TransactionTestCase):
    databases = {"default", HISTORY}

    def setUp(self):
        self.user = UserFactory()
        self.client = DjangoXBlockUserStateClient(self.user)
        self.write(1)
        self.enterContext(override_settings(HISTORY_TIMEOUT=HISTORY_TIMEOUT))
        self.enterContext(fresh_breaker())

    def write(self, value):
        self.client.set(self.user.username, usage("block"), {"a": value})

    def pending(self):
        return list(PendingHistory.objects.order_by("version").values_list("version", "state"))


class Writes(LockedHistory):
    def test_a_lock_that_stays_opens_the_breaker(self):
        with impatient(HISTORY), locked(StudentModuleHistory, HISTORY):
            self.write(2)
            self.assertEqual(breaker.state, "open")
            self.assertEqual(self.pending(), [(2, '{"a":2}')])
            self.assertEqual(StudentModule.objects.get().state, '{"a":2}')
            # The next write does not ask the history database.
            with assert_queries(default=5):
                self.write(3)
        self.assertEqual(self.pending(), [(2, '{"a":2}'), (3, '{"a":3}')])

    @override_settings(HISTORY_RETRY_AFTER=0)
    def test_a_write_after_the_lock_closes_the_breaker(self):
        with impatient(HISTORY), locked(StudentModuleHistory, HISTORY):
            self.write(2)
        self.write(3)
        self.assertEqual(breaker.state, "closed")
        self.assertEqual(self.pending(), [(2, '{"a":2}')])
        self.assertEqual(deliver().delivered, 1)
        self.assertEqual([entry.version for entry in timeline(self.user, usage("block"))], [3, 2, 1])

    def test_a_deadlock_leaves_the_breaker_closed(self):
        for code, sqlstate in ((1213, None), (None, "40P01"), (None, "40001")):
            with self.subTest(code=code, sqlstate=sqlstate):
                self.refuse(code, sqlstate)
                self.assertEqual(breaker.state, "closed")

    def test_a_lock_timeout_of_a_server_opens_the_breaker(self):
        for code, sqlstate in ((1205, None), (None, "55P03")):
            with self.subTest(code=code, sqlstate=sqlstate), fresh_breaker():
                self.refuse(code, sqlstate)
                self.assertEqual(breaker.state, "open")

    def refuse(self, code, sqlstate):
        """Write while the history database fails as a server would."""
        waited = PendingHistory.objects.count()
        error = OperationalError(code, "refused")
        error.__cause__ = Exception()
        error.__cause__.sqlstate = sqlstate
        with mock.patch("history.recording.write_ahead.write_entries", side_effect=error):
            self.write(waited + 2)
        self.assertEqual(PendingHistory.objects.count(), waited + 1)


class Deliveries(LockedHistory):
    def test_a_delivery_ends_and_keeps_the_entries(self):
        breaker.record_failure(OperationalError("down"))
        self.write(2)
        attempts = []
        with (
            impatient(HISTORY),
            locked(StudentModuleHistory, HISTORY),
            mock.patch("kvstore.versioning.transactions._pause", side_effect=lambda *args: attempts.append(args)),
        ):
            result = deliver()
        self.assertIsInstance(result.error, HistoryUnavailable)
        self.assertIn(HISTORY, str(result.error))
        # It began one transaction on default, which locks the pending entries, and on SQLite the whole state.
        self.assertEqual(attempts, [])
        self.assertEqual(self.pending(), [(2, '{"a":2}')])
        self.assertEqual(deliver().delivered, 1)

    @override_settings(HISTORY_ON_DELETE="erase")
    def test_a_deletion_that_erases_ends_and_keeps_the_entries(self):
        with impatient(HISTORY), locked(StudentModuleHistory, HISTORY), self.assertLogs("history") as logs:
            StudentModule.objects.get().delete()
        self.assertIn("erasure_failed", [record.event for record in logs.records])
        self.assertFalse(StudentModule.objects.exists())
        self.assertEqual([entry.action for entry in timeline(self.user, usage("block"))], ["deleted", "created"])


@skipUnless(connection.vendor == "sqlite", "The servers have deadlines of their own, in test_breaker")
class SQLiteTimeout(LockedHistory):
    """HISTORY_TIMEOUT takes the place of the timeout in the OPTIONS of the alias, and only where it applies."""

    def setUp(self):
        super().setUp()
        self.own_timeout = connections[HISTORY].settings_dict["OPTIONS"]["timeout"]

    def busy_timeout(self):
        """Return the timeout of the connection in seconds."""
        return connections[HISTORY].connection.execute("PRAGMA busy_timeout").fetchone()[0] / 1000

    @contextmanager
    def unreadable(self):
        """Lock the file so that nothing can be read either."""
        connections[HISTORY].close()
        # An error of an earlier call may be in a cycle with its cursor, which keeps the file open.
        gc.collect()
        other = sqlite3.connect(connections[HISTORY].settings_dict["NAME"], isolation_level=None, timeout=0)
        try:
            other.execute("PRAGMA locking_mode = EXCLUSIVE")
            other.execute("BEGIN EXCLUSIVE")
            yield
        finally:
            other.close()

    def assert_soon(self, call):
        """Check that a call ends long before the timeout of the connection."""
        begin = time.monotonic()
        call()
        self.assertLess(time.monotonic() - begin, self.own_timeout / 2)

    def test_a_write_to_a_locked_file_waits_for_the_configured_time(self):
        for name, lock in (("locked", locked(StudentModuleHistory, HISTORY)), ("unreadable", self.unreadable())):
            with self.subTest(name), fresh_breaker(), lock:
                self.assert_soon(lambda: self.write(2 + PendingHistory.objects.count()))
                self.assertEqual(breaker.state, "open")
        self.assertEqual(len(self.pending()), 2)

    def test_a_read_of_a_locked_file_waits_for_the_configured_time(self):
        def read():
            with self.assertRaisesMessage(HistoryUnavailable, "database is locked"):
                list(timeline(self.user, usage("block")))

        with self.unreadable():
            self.assert_soon(read)
            self.assert_soon(lambda: self.assertFalse(health().reachable))
        self.assertTrue(health().reachable)

    def test_a_delivery_to_a_locked_file_waits_for_the_configured_time(self):
        breaker.record_failure(OperationalError("down"))
        self.write(2)
        for name, lock in (("locked", locked(StudentModuleHistory, HISTORY)), ("unreadable", self.unreadable())):
            with self.subTest(name), lock:
                self.assert_soon(lambda: self.assertIsInstance(deliver().error, HistoryUnavailable))

    def test_the_timeout_of_the_connection_is_put_back(self):
        self.assertEqual(self.busy_timeout(), self.own_timeout)
        with locked(StudentModuleHistory, HISTORY):
            self.write(2)
        self.assertEqual(self.busy_timeout(), self.own_timeout)
        connections[HISTORY].close()
        breaker.reset()
        self.write(3)
        self.assertEqual(self.busy_timeout(), self.own_timeout)

    def test_the_timeout_holds_inside_the_block_only(self):
        options = connections[HISTORY].settings_dict["OPTIONS"]
        for is_new in (True, False):
            if is_new:
                connections[HISTORY].close()
            with self.subTest(is_new=is_new):
                with bounded(connections[HISTORY], 0.7, timeout_factor=3):
                    self.assertEqual(self.busy_timeout(), 0.7)
                    with bounded(connections[HISTORY], -1):
                        self.assertEqual(self.busy_timeout(), 0)
                    self.assertEqual(self.busy_timeout(), 0.7)
                self.assertEqual(self.busy_timeout(), self.own_timeout)
                self.assertIs(connections[HISTORY].settings_dict["OPTIONS"], options)

    def test_a_block_may_close_the_connection(self):
        with bounded(connections[HISTORY], 1):
            connections[HISTORY].close()
        connections[HISTORY].ensure_connection()
        self.assertEqual(self.busy_timeout(), self.own_timeout)

    def test_the_timeout_takes_no_statement_that_counts(self):
        for is_new in (False, True):
            if is_new:
                connections[HISTORY].close()
            with self.subTest(is_new=is_new), assert_queries(default=4, student_module_history=1):
                self.write(2 + is_new)
