"""A restore writes an old version as a new one, and only onto the expected version."""

from unittest import mock

from django.db import connection
from django.db.models import QuerySet
from django.test import TestCase, TransactionTestCase, override_settings

from history.api import HistoryUnavailable, RestoreRefused, UnusableContext, restore, timeline
from history.models import PendingHistory, StudentModuleHistory
from kvstore.api import DjangoXBlockUserStateClient, StateMoved, get_score, set_score
from kvstore.models import StudentModule
from kvstore.testing import StudentModuleFactory, UserFactory, assert_queries
from tests.history.outages import alias_missing, history_outage, rolled_back
from tests.kvstore.cache.blocks import usage

BLOCK = usage("block")


class RestoringTestCase(TestCase):
    databases = {"default", "student_module_history"}

    @classmethod
    def setUpTestData(cls):
        cls.learner, cls.staff = UserFactory(), UserFactory()

    def set(self, **fields):
        DjangoXBlockUserStateClient(self.learner).set(self.learner.username, BLOCK, fields)

    def entry(self, version):
        return next(entry for entry in timeline(self.learner, BLOCK) if entry.version == version)

    def row(self):
        return StudentModule.objects.get(student=self.learner, module_state_key=BLOCK)

    def restore(self, version, expected_version, **options):
        options = {"reason": "answer lost", "actor": self.staff} | options
        return restore(self.entry(version), expected_version=expected_version, **options)

    def assert_refused(self, error, version, expected_version, message, **options):
        before = [(entry.version, entry.state) for entry in timeline(self.learner, BLOCK)]
        with self.assertRaisesMessage(error, message):
            self.restore(version, expected_version, **options)
        self.assertEqual([(entry.version, entry.state) for entry in timeline(self.learner, BLOCK)], before)


class Restored(RestoringTestCase):
    def setUp(self):
        self.set(answer="a")
        set_score(self.learner.pk, BLOCK, 1, 2)
        self.set(answer="b", hint=True)
        set_score(self.learner.pk, BLOCK, 0, 2)

    def test_the_state_is_restored_and_the_score_stays(self):
        self.assertEqual(self.restore(2, 4), 5)
        row = self.row()
        self.assertEqual((row.version, row.state, row.grade), (5, '{"answer":"a"}', 0))

    def test_the_score_too_where_asked(self):
        self.restore(2, 4, grade=True)
        self.assertEqual(get_score(self.learner.pk, BLOCK)[:2], (1, 2))

    def test_the_new_version_has_actor_reason_and_source(self):
        entry = self.entry(1)
        self.restore(1, 4, reason="lost on 3 March")
        restored = self.entry(5)
        self.assertEqual(
            (restored.action, restored.actor_id, restored.reason, restored.state),
            ("restored", self.staff.pk, "lost on 3 March", entry.state),
        )
        self.assertEqual((restored.source_id, restored.source_version), (entry.student_module_id, 1))
        self.set(answer="c")
        following = self.entry(6)
        self.assertEqual((following.action, following.source_id, following.source_version), ("changed", None, None))

    def test_later_versions_are_kept(self):
        self.restore(1, 4)
        self.restore(4, 5)
        self.assertEqual(self.row().state, '{"answer":"b","hint":true}')
        self.assertEqual([entry.version for entry in timeline(self.learner, BLOCK)], [6, 5, 4, 3, 2, 1])

    def test_the_restored_state_is_read_from_the_history_not_from_the_given_entry(self):
        entry = self.entry(1)
        entry.state = '{"answer":"forged"}'
        restore(entry, expected_version=4, reason="answer lost")
        self.assertEqual(self.row().state, '{"answer":"a"}')

    def test_it_takes_the_statements_of_a_write_and_of_reading_a_version(self):
        entry = self.entry(1)
        # `default`: two reads (row, pending entries), four writes. History: one read and one write of an entry.
        with assert_queries(default=6, student_module_history=3):
            restore(entry, expected_version=4, reason="answer lost", actor=self.staff)

    def test_a_restored_version_can_be_pending(self):
        entry = self.entry(1)
        with mock.patch("history.recording.receivers.try_entries", return_value=False):
            restore(entry, expected_version=4, reason="answer lost")
        pending = PendingHistory.objects.get()
        self.assertEqual((pending.action, pending.source_version), ("restored", 1))

    def test_a_pending_version_can_be_put_back(self):
        with mock.patch("history.recording.receivers.try_entries", return_value=False):
            self.set(answer="waiting")
        self.set(answer="later")
        self.restore(5, 6)
        self.assertEqual(self.row().state, '{"answer":"waiting","hint":true}')

    def test_a_deleted_row_is_there_again(self):
        self.row().delete()
        entry = next(entry for entry in timeline(self.learner, BLOCK) if entry.version == 3)
        restore(entry, expected_version=0, reason="deleted by mistake", grade=True)
        row = self.row()
        self.assertEqual((row.version, row.state, row.grade), (1, entry.state, 1))
        newest = next(timeline(self.learner, BLOCK))
        self.assertEqual((newest.action, newest.source_id), ("restored", entry.student_module_id))
        self.assertNotEqual(newest.student_module_id, entry.student_module_id)


class Refused(RestoringTestCase):
    def setUp(self):
        self.set(answer="a")
        self.set(answer="b")

    def test_the_row_was_written_meanwhile(self):
        with self.assertRaises(StateMoved) as caught:
            self.restore(1, 1)
        self.assertEqual((caught.exception.expected, caught.exception.found), (1, 2))
        self.assert_refused(StateMoved, 1, 0, "expected 0. Nothing was stored")

    def test_the_row_was_deleted_meanwhile(self):
        entry = self.entry(1)
        self.row().delete()
        with self.assertRaisesMessage(StateMoved, "at version 0, expected 2"):
            restore(entry, expected_version=2, reason="answer lost")
        self.assertFalse(StudentModule.objects.filter(student=self.learner).exists())

    def test_nothing_would_change(self):
        self.assert_refused(RestoreRefused, 2, 2, "already has the state of version 2 and the same grade")
        self.assert_refused(RestoreRefused, 2, 2, "and the same grade", grade=True)

    def test_only_the_grade_differs_and_is_not_restored(self):
        set_score(self.learner.pk, BLOCK, 1, 2)
        self.assert_refused(RestoreRefused, 2, 3, "but not its grade; restore the grade too")
        self.assertEqual(self.restore(2, 3, grade=True), 4)
        self.assertEqual((self.row().state, self.row().grade), ('{"answer":"b"}', None))

    def test_nothing_but_white_space_would_change(self):
        entry = self.entry(2)
        with connection.cursor() as cursor:
            cursor.execute("UPDATE xblock_kvstore_studentmodule SET state = %s", ['{ "answer" : "b" }'])
        with self.assertRaisesMessage(RestoreRefused, "already has the state of version"):
            restore(entry, expected_version=2, reason="answer lost")

    def test_no_reason_or_one_that_no_entry_holds(self):
        for reason in ("", " \n"):
            self.assert_refused(RestoreRefused, 1, 2, "needs a reason", reason=reason)
        self.assert_refused(UnusableContext, 1, 2, "256 characters", reason="x" * 256)

    def test_the_end_of_a_row(self):
        self.row().delete()
        self.assert_refused(RestoreRefused, 3, 0, "records the deletion of the row")

    def test_an_unreadable_state(self):
        StudentModuleFactory(student=self.learner, module_state_key=usage("corrupt"), state='{"a":1}')
        with connection.cursor() as cursor:
            cursor.execute("UPDATE xblock_kvstore_studentmodule SET state = '[not json'")
        set_score(self.learner.pk, usage("corrupt"), 1, 1)
        entry = next(timeline(self.learner, usage("corrupt")))
        with self.assertRaisesMessage(RestoreRefused, "is not readable"):
            restore(entry, expected_version=2, reason="answer lost")

    def test_an_altered_entry(self):
        entry = self.entry(1)
        past_the_guards = QuerySet(StudentModuleHistory, using="student_module_history")
        past_the_guards.filter(student_module_id=entry.student_module_id, version=1).update(state='{"answer": "x"}')
        self.assert_refused(RestoreRefused, 1, 2, "do not match its digest")

    @override_settings(HISTORY_BLOCK_TYPES=("html",))
    def test_a_type_that_is_no_longer_recorded(self):
        self.assert_refused(RestoreRefused, 1, 2, "Add the type to HISTORY_BLOCK_TYPES")

    def test_a_version_that_was_rolled_back(self):
        with rolled_back():
            self.set(answer="never")
            phantom = self.entry(3)
        with self.assertRaisesMessage(RestoreRefused, "does not contain version 3"):
            restore(phantom, expected_version=2, reason="answer lost")

    def test_a_history_that_cannot_be_read(self):
        entry = self.entry(1)
        with alias_missing(), self.assertRaises(HistoryUnavailable):
            restore(entry, expected_version=2, reason="answer lost")
        self.assertEqual(self.row().version, 2)


class Outage(TransactionTestCase):
    """Outside a transaction, because a table is taken away, which commits on some databases."""

    databases = {"default", "student_module_history"}

    def test_nothing_is_put_back_while_the_history_cannot_be_read(self):
        row = StudentModuleFactory(module_state_key=BLOCK, state='{"a":1}')
        entry = next(timeline(row.student_id, BLOCK))
        with history_outage(), self.assertRaises(HistoryUnavailable):
            restore(entry, expected_version=1, reason="answer lost")
        self.assertEqual(StudentModule.objects.get().version, 1)
