"""``deliver_history`` ends on a signal, leaves the process unchanged, and survives a restart of the server.

TransactionTestCase: delivery commits on two databases, and another thread changes the entries.
"""

import io
import json
import logging
import os
import signal
import threading
from itertools import count
from unittest import mock, skipIf

from django.core.management import call_command
from django.db import DatabaseError, connection, connections
from django.test import TransactionTestCase

from history.models import PendingHistory, StudentModuleHistory
from kvstore.api import DjangoXBlockUserStateClient
from kvstore.testing import UserFactory
from tests.history.commands import run_command
from tests.history.outages import end_session, history_outage, history_refuses, table_away
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


class DeliveryCase(TransactionTestCase):
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


class Watching(DeliveryCase):
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
        end_session("default")

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


class Json(DeliveryCase):
    """The lines of --json, of one delivery and of many."""

    def test_one_delivery_is_one_object_with_the_exit_code_of_the_text(self):
        self.leave_one_pending()
        self.assert_lines(run_command("deliver_history", json=True, dry_run=True), 0, [(0, 0, 1)])
        self.assert_lines(run_command("deliver_history", json=True), 0, [(1, 0, 0)])
        self.assert_lines(run_command("deliver_history", json=True), 0, [(0, 0, 0)])

    def test_a_failed_delivery_is_an_object_with_the_error(self):
        self.leave_one_pending()
        with table_away(StudentModuleHistory, "student_module_history"):
            failed = run_command("deliver_history", json=True)
        self.assert_lines(failed, 1, [(0, 0, None)])
        self.assertIn("xblock_history_studentmodulehistory", json.loads(failed.output)["error"])
        self.assertIn("Run `manage.py history_health`", failed.message)

    def test_a_refused_entry_is_counted(self):
        self.leave_one_pending()
        with history_refuses(""):
            self.assert_lines(run_command("deliver_history", json=True), 1, [(0, 1, 1)])

    def test_watching_prints_a_line_for_each_delivery_that_delivered_or_failed(self):
        def deliver_fail_and_deliver():
            self.leave_one_pending()
            self.wait_until_delivered()
            with table_away(PendingHistory, "default"):
                self.wait_for_failure()
            self.leave_one_pending()
            self.wait_until_delivered()

        outcome = self.watch(deliver_fail_and_deliver, json=True)
        delivered = [line["delivered"] for line in lines(outcome) if not line["error"]]
        failed = [(line["delivered"], line["pending"]) for line in lines(outcome) if line["error"]]
        # The number of pending entries is unknown if the table of pending entries was away when the line was printed.
        self.assertEqual(delivered, [1, 1])
        # Deliveries also fail while leave_one_pending takes the table of entries away.
        self.assertEqual(set(failed), {(0, None)})
        self.assertEqual(outcome.code, 0)

    def assert_lines(self, outcome, code, expected):
        self.assertEqual(outcome.code, code)
        found = [(line["delivered"], line["refused"], line["pending"]) for line in lines(outcome)]
        self.assertEqual(found, expected)
        for line in lines(outcome):
            self.assertEqual(bool(line["error"]), line["pending"] is None)
            self.assertRegex(line["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$")


def lines(outcome):
    return [json.loads(line) for line in outcome.output.splitlines()]
