"""After a failure the history database is skipped, then tried again by one writer at a time."""

import os
import threading
import time
from unittest import skipUnless

from django.db import DatabaseError, connection, connections
from django.test import SimpleTestCase, TransactionTestCase, override_settings

from history.database.circuit_breaker import CLOSED, OPEN, PROBING, Breaker
from history.database.deadline import bounded

HISTORY = "student_module_history"


@override_settings(HISTORY_RETRY_AFTER=30)
class BreakerStates(SimpleTestCase):
    def setUp(self):
        self.now = 0.0
        self.breaker = Breaker(clock=lambda: self.now)

    def fail(self):
        with self.assertLogs("history"):
            self.breaker.record_failure(DatabaseError("down"))

    def test_all_calls_are_allowed_while_the_database_works(self):
        self.assertTrue(self.breaker.allows() and self.breaker.allows())
        self.assertEqual(self.breaker.state, CLOSED)

    def test_calls_are_refused_for_a_time_after_a_failure(self):
        self.fail()
        self.now = 29.9
        self.assertEqual((self.breaker.allows(), self.breaker.state), (False, OPEN))

    def test_then_one_call_is_allowed_until_it_has_a_result(self):
        self.fail()
        self.now = 30.0
        self.assertEqual([self.breaker.allows() for _ in range(3)], [True, False, False])
        self.assertEqual(self.breaker.state, PROBING)

    def test_a_failed_probe_starts_a_new_wait(self):
        self.fail()
        self.now = 30.0
        self.breaker.allows()
        self.breaker.record_failure(DatabaseError("down"))
        self.now = 59.9
        self.assertFalse(self.breaker.allows())
        self.now = 60.0
        self.assertTrue(self.breaker.allows())

    def test_all_calls_are_allowed_after_a_successful_probe(self):
        self.fail()
        self.now = 30.0
        self.breaker.allows()
        with self.assertLogs("history") as logs:
            self.breaker.record_success()
        self.assertEqual(logs.records[0].event, "breaker_closed")
        self.assertTrue(self.breaker.allows() and self.breaker.allows())

    def test_an_interrupted_probe_is_made_by_the_next(self):
        self.fail()
        self.now = 30.0
        self.assertTrue(self.breaker.allows())
        self.breaker.cancel()
        self.assertEqual([self.breaker.allows() for _ in range(2)], [True, False])

    def test_an_interrupted_write_does_not_change_the_state(self):
        self.breaker.cancel()
        self.assertEqual(self.breaker.state, CLOSED)
        self.fail()
        self.breaker.cancel()
        self.assertEqual((self.breaker.state, self.breaker.allows()), (OPEN, False))

    def test_the_opening_is_logged_once(self):
        with self.assertLogs("history") as logs:
            self.breaker.record_failure(DatabaseError("down"))
            self.breaker.record_failure(DatabaseError("down"))
        self.assertEqual([record.event for record in logs.records], ["breaker_opened"])

    def test_only_one_of_many_threads_probes(self):
        self.fail()
        self.now = 30.0
        start, let = threading.Barrier(8), []
        threads = [threading.Thread(target=lambda: (start.wait(), let.append(self.breaker.allows()))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(let), [False] * 7 + [True])


SLEEP = {"postgresql": "SELECT pg_sleep(10)", "mysql": "SELECT SLEEP(10)"}


@skipUnless(connection.vendor in SLEEP, "SQLite has no server that could hang")
class Deadline(TransactionTestCase):
    """TransactionTestCase, because a connection that is cut cannot roll back."""

    databases = {"default", HISTORY}

    def tearDown(self):
        connections[HISTORY].close()
        if connection.vendor == "postgresql":
            # The interrupted statement still sleeps in the server, and would keep the test database in use.
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE query LIKE 'SELECT pg_sleep%' AND pid <> pg_backend_pid()"
                )

    def sleep(self):
        with connections[HISTORY].cursor() as cursor:
            cursor.execute(SLEEP[connection.vendor])

    def test_a_call_that_hangs_fails_at_its_deadline(self):
        connections[HISTORY].ensure_connection()
        for _ in range(2):
            start = time.monotonic()
            with self.assertRaises(DatabaseError), bounded(connections[HISTORY], 0.3):
                self.sleep()
            self.assertLess(time.monotonic() - start, 2)
            connections[HISTORY].close()

    def test_a_call_in_time_leaves_the_connection_alone(self):
        with bounded(connections[HISTORY], 0.1), connections[HISTORY].cursor() as cursor:
            cursor.execute("SELECT 1")
        time.sleep(0.3)
        with connections[HISTORY].cursor() as cursor:
            cursor.execute("SELECT 1")
            self.assertEqual(cursor.fetchone(), (1,))

    def test_a_forked_process_keeps_its_deadlines(self):
        with bounded(connections[HISTORY], 5):
            connections[HISTORY].ensure_connection()
        connections.close_all()
        if connection.vendor == "postgresql":
            # Two processes cannot share the connections of a pool.
            connections[HISTORY].close_pool()
        child = os.fork()
        if not child:
            try:
                with bounded(connections[HISTORY], 0.3):
                    self.sleep()
            except DatabaseError:
                os._exit(7)
            os._exit(1)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 7)
