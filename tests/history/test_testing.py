"""The functions of history.testing for tests of other projects."""

from django.db import router
from django.test import TestCase, override_settings

from history.api import HistoryUnavailable, deliver, health, timeline
from history.models import PendingHistory, StudentModuleHistory
from history.testing import history_unavailable, reset_circuit_breaker
from kvstore.client import DjangoXBlockUserStateClient
from kvstore.models import StudentModule
from kvstore.testing import StudentModuleFactory


class Outage(TestCase):
    databases = {"default", "student_module_history"}

    def setUp(self):
        self.row = StudentModuleFactory(state='{"answer": 1}')
        self.addCleanup(reset_circuit_breaker)

    def answer(self, value):
        client = DjangoXBlockUserStateClient()
        client.set(self.row.student.username, self.row.module_state_key, {"answer": value})

    def entries(self):
        return list(timeline(self.row.student, self.row.module_state_key))

    def counts(self):
        return StudentModuleHistory.objects.count(), PendingHistory.objects.count()

    def test_writes_succeed_and_their_entries_stay_pending(self):
        with history_unavailable():
            self.answer(2)
            self.answer(3)
            self.assertEqual(health().breaker, "open")
            self.assertEqual(PendingHistory.objects.count(), 2)
        self.assertEqual(StudentModule.objects.get(pk=self.row.pk).state, '{"answer":3}')
        self.assertEqual(self.counts(), (1, 2))
        self.assertEqual([entry.fields["answer"] for entry in self.entries()], [3, 2, 1])

    def test_entries_are_delivered_afterwards_only(self):
        with history_unavailable():
            self.answer(2)
            self.assertIsNotNone(deliver().error)
            self.assertEqual(PendingHistory.objects.count(), 1)
        self.assertEqual((deliver().delivered, self.counts()), (1, (2, 0)))

    def test_reads_fail_inside_alone(self):
        with history_unavailable():
            with self.assertRaises(HistoryUnavailable):
                self.entries()
            self.assertFalse(health().reachable)
        self.assertEqual(len(self.entries()), 1)
        self.assertTrue(health().healthy)

    def test_the_breaker_is_closed_before_and_after(self):
        with history_unavailable():
            self.answer(2)
            with history_unavailable():
                self.assertEqual(health().breaker, "closed")
        self.assertEqual(health().breaker, "closed")
        self.answer(3)
        self.assertEqual(self.counts(), (2, 1))

    def test_after_an_error_too(self):
        with self.assertRaisesMessage(ValueError, "inside"), history_unavailable():
            self.answer(2)
            raise ValueError("inside")
        self.assertEqual(health().breaker, "closed")
        self.assertEqual(router.db_for_write(StudentModuleHistory), "student_module_history")

    def test_one_database_has_no_outage_of_the_history(self):
        with (
            override_settings(HISTORY_DATABASE_ALIAS="default"),
            self.assertRaisesMessage(RuntimeError, "one database"),
            history_unavailable(),
        ):
            self.fail("entered")
