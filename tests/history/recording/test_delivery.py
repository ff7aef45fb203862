"""Entries that an outage kept from the history are pending in `default`, are read from there, and are delivered once.

TransactionTestCase: the outage is a table that is really renamed, and delivery commits on two databases.
"""

import json
from contextlib import contextmanager
from unittest.mock import Mock, patch

from django.db import DataError, OperationalError, transaction
from django.test import TransactionTestCase

from history.api import change_context, timeline
from history.models import PendingHistory, StudentModuleHistory
from history.recording import delivery, write_ahead
from history.recording.delivery import deliver
from kvstore.api import DjangoXBlockUserStateClient, set_score
from kvstore.models import StudentModule
from kvstore.testing import UserFactory, assert_queries
from tests.history.commands import exit_code, run_command
from tests.history.outages import history_outage
from tests.kvstore.cache.blocks import usage


def versions(user, block="block"):
    return [(entry.version, json.loads(entry.state or "null")) for entry in timeline(user, usage(block))]


class Pending(TransactionTestCase):
    databases = {"default", "student_module_history"}

    def setUp(self):
        self.user = UserFactory()
        self.client = DjangoXBlockUserStateClient(self.user)

    def set(self, value, block="block"):
        self.client.set(self.user.username, usage(block), {"a": value})

    def write_through_an_outage(self):
        self.set(1)
        with history_outage(), change_context(actor=self.user, reason="outage", request_id="r1"):
            self.set(2)
            set_score(self.user.pk, usage("block"), 1, 2)
            StudentModule.objects.get().save()
        self.set(3)

    def test_an_outage_costs_no_write_and_no_version(self):
        self.write_through_an_outage()
        self.assertEqual(StudentModule.objects.get().version, 4)
        self.assertEqual(versions(self.user), [(4, {"a": 3}), (3, {"a": 2}), (2, {"a": 2}), (1, {"a": 1})])
        self.assertEqual(PendingHistory.objects.count(), 2)
        pending = PendingHistory.objects.latest("version")
        self.assertEqual((pending.actor_id, pending.reason, pending.request_id), (self.user.pk, "outage", "r1"))
        self.assertEqual((pending.grade, pending.created), (1.0, timeline_entry(self.user, 3).created))

    def test_the_client_reads_pending_entries(self):
        self.write_through_an_outage()
        with assert_queries(default=2, student_module_history=1):
            states = [state.state for state in self.client.get_history(self.user.username, usage("block"))]
        self.assertEqual(states, [{"a": 3}, {"a": 2}, {"a": 2}, {"a": 1}])

    def test_pending_entries_roll_back_with_their_state(self):
        with history_outage(), self.assertRaises(ZeroDivisionError), transaction.atomic():
            self.set(1)
            self.assertEqual(PendingHistory.objects.count(), 1)
            raise ZeroDivisionError
        self.assertFalse(PendingHistory.objects.exists())

    def test_delivery_moves_pending_entries_and_changes_no_timeline(self):
        self.write_through_an_outage()
        before = versions(self.user)
        with patch.object(delivery, "BATCH_SIZE", 1):
            result = deliver()
        self.assertEqual((result.delivered, result.refused, result.error), (2, 0, None))
        self.assertFalse(PendingHistory.objects.exists())
        self.assertEqual(versions(self.user), before)
        self.assertEqual(StudentModuleHistory.objects.count(), 4)

    def test_delivery_that_crashed_before_it_deleted_is_repeated_without_a_trace(self):
        self.write_through_an_outage()
        with patch("django.db.models.query.QuerySet.delete", side_effect=KeyboardInterrupt):
            self.assertRaises(KeyboardInterrupt, deliver)
        self.assertEqual((StudentModuleHistory.objects.count(), PendingHistory.objects.count()), (4, 2))
        self.assertEqual([version for version, _ in versions(self.user)], [4, 3, 2, 1])
        deliver()
        self.assertEqual((StudentModuleHistory.objects.count(), PendingHistory.objects.count()), (4, 0))

    def test_delivery_during_the_outage_leaves_all_pending(self):
        with history_outage():
            self.set(1)
            result = deliver()
        self.assertIsNotNone(result.error)
        self.assertEqual(PendingHistory.objects.count(), 1)

    def test_a_deleted_row_is_complete_while_its_last_entry_is_pending(self):
        self.set(1)
        with history_outage():
            StudentModule.objects.get().delete()
        self.assertEqual([entry.action for entry in timeline(self.user, usage("block"))], ["deleted", "created"])
        deliver()
        self.assertEqual([entry.action for entry in timeline(self.user, usage("block"))], ["deleted", "created"])

    def test_the_command_returns_when_everything_is_delivered_and_raises_otherwise(self):
        cases = [
            ({"dry_run": True}, 0, "3 entries are pending", "", 3),
            ({}, 0, "Delivered 3 entries", "", 0),
            ({}, 0, "Delivered 0 entries", "", 0),
        ]
        with history_outage():
            for value in range(3):
                self.set(value)
            failed = run_command("deliver_history")
            self.assertEqual((failed.output, failed.code), ("", 1))
            self.assertRegex(failed.message, "not delivered: .* Run `manage.py history_health`")
        for options, code, output, message, left in cases:
            with self.subTest(options=options):
                done = run_command("deliver_history", **options)
                self.assertEqual(done.code, code)
                self.assertIn(output, done.output)
                self.assertIn(message, done.message)
                self.assertEqual(bool(done.message), bool(code))
                self.assertEqual(PendingHistory.objects.count(), left)

    def test_the_exit_codes_of_the_command_line(self):
        with history_outage():
            self.set(1)
            self.set(2)
            self.assertEqual(exit_code("deliver_history"), 1)
        with stopped_after(1):
            self.assertEqual(exit_code("deliver_history"), 3)
        self.assertEqual(PendingHistory.objects.count(), 1)
        self.assertEqual(exit_code("deliver_history"), 0)

    def test_the_command_that_is_stopped_names_the_fix(self):
        with history_outage():
            for value in range(3):
                self.set(value)
        with stopped_after(2):
            done = run_command("deliver_history")
        self.assertEqual((done.code, PendingHistory.objects.count()), (3, 1))
        self.assertIn("Delivered 2 entries", done.output)
        self.assertIn("Run `manage.py deliver_history` again.", done.message)

    def test_a_refused_entry_does_not_hold_up_the_others(self):
        with history_outage():
            for value in range(3):
                self.set(value)
        poison = PendingHistory.objects.get(version=2)
        PendingHistory.objects.filter(pk=poison.pk).update(action="x" * 8, reason="poison")

        def refuse(entries):
            if any(entry.reason == "poison" for entry in entries):
                raise DataError("refused")
            write(entries)

        write = write_ahead.write_entries
        with patch("history.recording.delivery.write_entries", refuse):
            result = deliver()
        self.assertEqual((result.delivered, result.refused), (2, 1))
        self.assertEqual(PendingHistory.objects.get(), poison)

    def test_an_entry_that_was_delivered_already_is_delivered_without_effect(self):
        with history_outage():
            self.set(1)
            self.set(2)
        write_ahead.write_entries([PendingHistory.objects.get(version=1).as_version()])
        (before,) = StudentModuleHistory.objects.values()
        self.assertEqual(deliver().delivered, 2)
        self.assertEqual(StudentModuleHistory.objects.values().get(version=1), before)
        self.assertEqual(versions(self.user), [(2, {"a": 2}), (1, {"a": 1})])

    def test_a_conflict_in_the_history_database_is_tried_again(self):
        calls = []

        def once_deadlocked(entries):
            calls.append(entries)
            if len(calls) == 1:
                raise OperationalError(1213, "Deadlock found when trying to get lock")
            write(entries)

        write = write_ahead.write_entries
        with patch("history.recording.write_ahead.write_entries", once_deadlocked):
            self.set(1)
        self.assertEqual((len(calls), PendingHistory.objects.count()), (2, 0))


@contextmanager
def stopped_after(count):
    """Stop deliver_history by a signal after so many entries, which are delivered one by one."""

    @contextmanager
    def stopped():
        yield Mock(is_set=Mock(side_effect=[False] * count + [True]))

    command = "history.management.commands.deliver_history.stopped_by_signals"
    with patch.object(delivery, "BATCH_SIZE", 1), patch(command, stopped):
        yield


def timeline_entry(user, version):
    return next(entry for entry in timeline(user, usage("block")) if entry.version == version)
