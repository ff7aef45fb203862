"""``deliver_history`` ends on a signal, leaves the process unchanged, and survives a restart of the server.

TransactionTestCase: delivery commits on two databases, and another thread changes the entries.
"""

import io
import logging
import os
import signal
import threading
from itertools import count
from unittest import mock, skipIf

from django.core.management import call_command
from django.db import DatabaseError, connection, connections
from django.test import TransactionTestCase

from history.models import PendingHistory
from kvstore.api import DjangoXBlockUserStateClient
from kvstore.testing import UserFactory
from tests.history.commands import run_command
from tests.history.outages import END_SESSION, SESSION, history_outage, table_away
from tests.kvstore.cache.blocks import usage

PATIENCE = 20
"""seconds"""
INTERVAL = 0.05


class Records(logging.Handler):
    """Notifies a thread that an event was logged."""

    def __init__(self, event: str) -> None:
        super().__init__()
        self.event = event
        self.seen = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, "event", "") == self.event:
            self.seen.set()


class Watching(TransactionTestCase):
    databases = {"default", "student_module_history"}

    def setUp(self):
        self.user = UserFactory()
        self.values = count()
        self.failed = Records("delivery_failed")
        logger = logging.getLogger("history")
        logger.addHandler(self.failed)
        self.addCleanup(logger.removeHandler, self.failed)
        self.handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]

    def leave_one_pending(self):
        with history_outage():
            DjangoXBlockUserStateClient(self.user).set(self.user.username, usage("block"), {"a": next(self.values)})

    def watch(self, happens, **options):
        """Watch in the main thread while ``happens`` runs in another; then stop the watch."""
        failures = []

        def run():
            try:
                happens()
            except BaseException as error:  # the test fails with it, below
                failures.append(error)
            finally:
                connections.close_all()
                os.kill(os.getpid(), signal.SIGTERM)

        other = threading.Thread(target=run)
        other.start()
        outcome = run_command("deliver_history", watch=True, interval=INTERVAL, **options)
        other.join()
        self.assertEqual(failures, [])
        return outcome

    def wait_until_delivered(self):
        deadline = threading.Event()
        for _ in range(int(PATIENCE / INTERVAL)):
            if not PendingHistory.objects.exists():
                return
            deadline.wait(INTERVAL)
        raise AssertionError("nothing was delivered")

    def wait_for_failure(self):
        self.assertTrue(self.failed.seen.wait(PATIENCE), "no failure was logged")

    def assert_handlers_restored(self):
        self.assertEqual([signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)], self.handlers)

    def test_a_command_that_is_done_leaves_no_handlers(self):
        self.leave_one_pending()
        self.assertEqual(run_command("deliver_history").code, 0)
        self.assert_handlers_restored()

    def test_a_command_that_fails_leaves_no_handlers(self):
        with table_away(PendingHistory, "default"), self.assertRaises(DatabaseError):
            call_command("deliver_history", stdout=io.StringIO())
        self.assert_handlers_restored()

    def test_a_command_that_was_stopped_leaves_no_handlers(self):
        self.leave_one_pending()
        self.assertEqual(self.watch(self.wait_until_delivered).code, 0)
        self.assert_handlers_restored()

    def test_watching_outlives_a_state_database_that_fails(self):
        def fail_for_a_while():
            with table_away(PendingHistory, "default"):
                self.wait_for_failure()
            self.leave_one_pending()
            self.wait_until_delivered()

        self.assertEqual(self.watch(fail_for_a_while).code, 0)

    @skipIf(connection.vendor == "sqlite", "SQLite has no server that could end a session")
    def test_watching_outlives_the_end_of_its_session(self):
        for verbosity in (1, 0):
            self.failed.seen.clear()
            with self.subTest(verbosity=verbosity):
                self.outlive_the_end_of_the_session(verbosity)

    def outlive_the_end_of_the_session(self, verbosity):
        self.enterContext(mock.patch.dict(connection.settings_dict, CONN_MAX_AGE=None))
        connection.close()
        with connection.cursor() as cursor:
            cursor.execute(SESSION[connection.vendor])
            (session,) = cursor.fetchone()
        other = connection.copy()
        with other.cursor() as cursor:
            cursor.execute(END_SESSION[connection.vendor], [session])
        other.close()

        def deliver_after_failure():
            self.wait_for_failure()
            self.leave_one_pending()
            self.wait_until_delivered()

        self.assertEqual(self.watch(deliver_after_failure, verbosity=verbosity).code, 0)

    def test_a_failure_of_the_state_database_that_lasts_is_the_exit_code(self):
        with table_away(PendingHistory, "default"):
            outcome = self.watch(self.wait_for_failure)
        self.assertEqual(outcome.code, 1)
        self.assertIn("not delivered", outcome.message)
