"""The timeline of a learner's block has every committed version, newest first, and no others."""

from unittest import mock

from django.contrib.auth.models import AnonymousUser
from django.db import models, transaction
from django.test import SimpleTestCase, TestCase, TransactionTestCase
from opaque_keys.edx.keys import CourseKey, UsageKey

from history.api import HistoryUnavailable, timeline
from history.models import StudentModuleHistory
from kvstore.api import CorruptState, DjangoXBlockUserStateClient, UnusableKey
from kvstore.models import StudentModule
from kvstore.testing import StudentModuleFactory, UserFactory, assert_queries
from tests.history.outages import alias_missing, history_outage, rolled_back
from tests.kvstore.cache.blocks import usage

BLOCK = usage("block")


def answers(learner, usage_key=BLOCK):
    """Return the version, action and state of every entry of the timeline."""
    return [(entry.version, entry.action, entry.state) for entry in timeline(learner, usage_key)]


class TimelineTestCase(TestCase):
    databases = {"default", "student_module_history"}

    @classmethod
    def setUpTestData(cls):
        cls.user, cls.other = UserFactory(), UserFactory()

    def set(self, answer, usage_key=BLOCK, user=None):
        user = user or self.user
        DjangoXBlockUserStateClient(user).set(user.username, usage_key, {"answer": answer})


class Order(TimelineTestCase):
    def test_newest_first_one_learner_and_one_block(self):
        for answer in (1, 2, 3):
            self.set(answer)
            self.set(answer, user=self.other)
            self.set(answer, usage("elsewhere"))
        expected = [
            (3, "changed", '{"answer":3}'),
            (2, "changed", '{"answer":2}'),
            (1, "created", '{"answer":1}'),
        ]
        self.assertEqual(answers(self.user), expected)
        times = [entry.created for entry in timeline(self.user, BLOCK)]
        self.assertEqual(times, sorted(times, reverse=True))
        self.assertEqual(len(set(times)), 3)

    def test_the_learner_may_be_a_user_or_an_id(self):
        self.set(1)
        self.assertEqual(answers(self.user.pk), answers(self.user))

    def test_nothing_recorded_is_an_empty_timeline(self):
        StudentModuleFactory(student=self.user, module_state_key=usage("text", "html"), module_type="html")
        for learner, usage_key in (
            (self.user, BLOCK),
            (self.user, usage("text", "html")),
            (0, BLOCK),
            (AnonymousUser(), BLOCK),
        ):
            with self.subTest(learner=str(learner), block=usage_key):
                self.assertEqual(answers(learner, usage_key), [])

    def test_keys_that_differ_in_case_are_different_blocks(self):
        self.set("lower", usage("case"))
        self.set("upper", usage("CASE"))
        self.assertEqual(answers(self.user, usage("case")), [(1, "created", '{"answer":"lower"}')])

    def test_a_key_of_the_old_form_is_distinguished_by_its_course(self):
        key = UsageKey.from_string("i4x://Org/Course/problem/block")
        for run in ("Run1", "Run2"):
            course = CourseKey.from_string(f"Org/Course/{run}")
            DjangoXBlockUserStateClient().set(self.user.username, key.map_into_course(course), {"run": run})
            (entry,) = timeline(self.user, key, course)
            self.assertEqual(entry.state, f'{{"run":"{run}"}}')
        with self.assertRaises(UnusableKey):
            timeline(self.user, key)

    def test_pages_join_without_a_gap_or_a_repeat(self):
        for answer in range(7):
            self.set(answer)
        whole = answers(self.user)
        self.assertEqual([version for version, *_ in whole], [7, 6, 5, 4, 3, 2, 1])
        for size, queries in ((1, 7), (2, 4), (3, 3), (6, 2), (7, 1), (8, 1)):
            with (
                self.subTest(size=size),
                mock.patch("history.reading.timeline.PAGE_SIZE", size),
                assert_queries(default=2, student_module_history=queries),
            ):
                self.assertEqual(answers(self.user), whole)

    def test_pages_go_on_into_an_earlier_row(self):
        for _ in range(3):
            self.set("first")
            self.set("second")
            StudentModule.objects.get().delete()
        self.set("third")
        whole = answers(self.user)
        self.assertEqual([version for version, *_ in whole], [1, 3, 2, 1, 3, 2, 1, 3, 2, 1])
        for size in (1, 2, 3, 4):
            with self.subTest(size=size), mock.patch("history.reading.timeline.PAGE_SIZE", size):
                self.assertEqual(answers(self.user), whole)


class DeletedRows(TimelineTestCase):
    def test_a_deleted_row_ends_in_its_deletion(self):
        self.set(1)
        StudentModule.objects.get().delete()
        self.assertEqual(answers(self.user), [(2, "deleted", None), (1, "created", '{"answer":1}')])

    def test_a_row_made_again_follows_the_one_before(self):
        self.set(1)
        StudentModule.objects.get().delete()
        self.set(2)
        self.assertEqual(
            answers(self.user),
            [(1, "created", '{"answer":2}'), (2, "deleted", None), (1, "created", '{"answer":1}')],
        )

    def test_a_deleted_learner_is_found_by_id(self):
        leaver = UserFactory()
        self.set(1, user=leaver)
        leaver_id = leaver.pk
        leaver.delete()
        self.assertEqual(answers(leaver_id), [(2, "deleted", None), (1, "created", '{"answer":1}')])

    def test_an_emptied_state_is_not_a_deleted_row(self):
        self.set(1)
        DjangoXBlockUserStateClient(self.user).delete(self.user.username, BLOCK)
        self.assertEqual(answers(self.user), [(2, "changed", "{}"), (1, "created", '{"answer":1}')])


class Phantoms(TimelineTestCase):
    """Rolling back an inner transaction of ``default`` leaves its entries, as a real rollback does."""

    def test_a_version_above_that_of_the_row_never_happened(self):
        self.set(1)
        with rolled_back():
            self.set(2)
            self.set(3)
        self.assertEqual(StudentModuleHistory.objects.count(), 3)
        self.assertEqual(answers(self.user), [(1, "created", '{"answer":1}')])
        self.set(4)
        self.assertEqual(answers(self.user), [(2, "changed", '{"answer":4}'), (1, "created", '{"answer":1}')])

    def test_a_row_that_was_never_there_has_no_timeline(self):
        with rolled_back():
            self.set(1)
        self.assertTrue(StudentModuleHistory.objects.exists())
        self.assertEqual(answers(self.user), [])

    def test_a_deletion_that_was_rolled_back_never_happened(self):
        self.set(1)
        with rolled_back():
            StudentModule.objects.get().delete()
        self.assertEqual(answers(self.user), [(1, "created", '{"answer":1}')])

    def test_nothing_follows_the_deletion_of_a_row(self):
        self.set(1)
        with rolled_back():
            self.set(2)
            self.set(3)
            StudentModule.objects.get().delete()
        StudentModule.objects.get().delete()
        self.assertEqual(StudentModuleHistory.objects.count(), 3)
        expected = [(2, "deleted", None), (1, "created", '{"answer":1}')]
        self.assertEqual(answers(self.user), expected)
        self.set(4)
        self.assertEqual(answers(self.user), [(1, "created", '{"answer":4}'), *expected])

    def test_a_row_that_was_made_and_deleted_and_rolled_back_has_no_timeline(self):
        with rolled_back():
            self.set(1)
            StudentModule.objects.get().delete()
        self.assertEqual(answers(self.user), [])


class RealRollback(TransactionTestCase):
    """With real rollbacks: SQLite reuses a row's id only after a real rollback."""

    databases = {"default", "student_module_history"}

    def setUp(self):
        self.user, self.other = UserFactory(), UserFactory()

    def set(self, user, answer):
        DjangoXBlockUserStateClient(user).set(user.username, BLOCK, {"answer": answer})

    def roll_back_first_versions(self):
        with self.assertRaises(ZeroDivisionError), transaction.atomic():
            self.set(self.user, "never")
            self.set(self.user, "nor this")
            _ = 1 / 0
        phantoms = StudentModuleHistory.objects.filter(student_id=self.user.pk)
        self.assertEqual(phantoms.count(), 2)
        self.assertFalse(StudentModule.objects.exists())

    def test_a_phantom_is_not_mixed_with_the_next_learner_s_versions(self):
        self.roll_back_first_versions()
        self.set(self.other, "real")
        self.assertEqual(answers(self.other), [(1, "created", '{"answer":"real"}')])
        self.assertEqual(answers(self.user), [])
        # On SQLite this is the id and the version of the phantom's second version.
        self.set(self.other, "also real")
        self.assertEqual([state for *_, state in answers(self.other)], ['{"answer":"also real"}', '{"answer":"real"}'])
        self.set(self.user, "late")
        self.assertEqual(answers(self.user), [(1, "created", '{"answer":"late"}')])

    def test_a_phantom_is_not_mixed_with_the_same_learner_s_real_versions(self):
        self.roll_back_first_versions()
        self.set(self.user, "real")
        self.assertEqual(answers(self.user), [(1, "created", '{"answer":"real"}')])

    def test_a_phantom_of_another_learner_does_not_return_when_the_row_is_deleted(self):
        self.roll_back_first_versions()
        self.set(self.other, "real")
        StudentModule.objects.get().delete()
        self.assertEqual(answers(self.other), [(2, "deleted", None), (1, "created", '{"answer":"real"}')])
        self.assertEqual(answers(self.user), [])

    def test_an_unreadable_history_is_an_error_of_its_own(self):
        self.set(self.user, "real")
        client = DjangoXBlockUserStateClient(self.user)
        for outage in (alias_missing, history_outage):
            with self.subTest(outage.__name__), outage():
                with self.assertRaises(HistoryUnavailable):
                    list(timeline(self.user, BLOCK))
                with self.assertRaises(HistoryUnavailable):
                    client.get_history(self.user.username, BLOCK)
                self.assertEqual(client.get(self.user.username, BLOCK).state, {"answer": "real"})


class ClientAgrees(TimelineTestCase):
    def test_get_history_returns_the_same_versions(self):
        self.set(1)
        StudentModule.objects.get().delete()
        self.set(2)
        DjangoXBlockUserStateClient().delete(self.user.username, BLOCK)
        with rolled_back():
            self.set("never")
        for client in (DjangoXBlockUserStateClient(), DjangoXBlockUserStateClient(self.user)):
            with self.subTest(user=client._user), mock.patch("history.reading.timeline.PAGE_SIZE", 2):
                found = [(entry.state, entry.updated) for entry in client.get_history(self.user.username, BLOCK)]
                entries = [entry.created for entry in timeline(self.user, BLOCK)]
                self.assertEqual([at for _, at in found], entries)
                self.assertEqual([state for state, _ in found], [None, {"answer": 2}, None, {"answer": 1}])

    def test_get_history_of_a_phantom_does_not_exist(self):
        with rolled_back():
            self.set(1)
        client = DjangoXBlockUserStateClient()
        with self.assertRaises(client.DoesNotExist):
            client.get_history(self.user.username, BLOCK)

    def test_an_unreadable_entry_is_named_after_the_readable_ones(self):
        for answer in (1, 2, 3):
            self.set(answer)
        row = StudentModule.objects.get()
        past_the_guards = models.QuerySet(StudentModuleHistory, using="student_module_history")
        past_the_guards.filter(student_module_id=row.pk, version=2).update(state='{"answer":NaN}')
        corrupt = StudentModuleHistory.objects.get(student_module_id=row.pk, version=2)
        read = []
        with self.assertLogs("kvstore", "ERROR"), self.assertRaises(CorruptState) as caught:
            for entry in DjangoXBlockUserStateClient().get_history(self.user.username, BLOCK):
                read.append(entry.state["answer"])
        self.assertEqual((read, caught.exception.row_ids), ([3, 1], (corrupt.pk,)))
        self.assertIn(StudentModuleHistory._meta.db_table, str(caught.exception))


class NoDatabase(SimpleTestCase):
    def test_a_key_of_the_wrong_kind_is_refused_when_called(self):
        for key in ("block-v1:Org+Course+Run+type@problem+block@block", BLOCK.course_key, None):
            with self.subTest(key=key), self.assertRaises(UnusableKey):
                timeline(1, key)
