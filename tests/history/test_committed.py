"""What the timeline of one block tells and what is kept of a page of entries of many rows is the same."""

from datetime import timedelta
from itertools import count

from django.db import transaction
from django.test import TestCase, TransactionTestCase
from django.utils import timezone

from history.api import timeline
from history.committed import Before, committed
from history.delivery import deliver
from history.models import PendingHistory, StudentModuleHistory
from kvstore.api import DjangoXBlockUserStateClient
from kvstore.models import StudentModule
from kvstore.testing import UserFactory, assert_queries
from kvstore.versions import plain_rows
from tests.history.outages import ALIAS, Rollback, history_outage, rolled_back
from tests.kvstore.blocks import usage


class Agreement:
    """Steps of a row's life, and the comparison of the two readers."""

    databases = {"default", "student_module_history"}

    def setUp(self):
        self.user, self.other = UserFactory(), UserFactory()
        self.answers = count()

    def set(self, name, user=None):
        user = user or self.user
        DjangoXBlockUserStateClient(user).set(user.username, usage(name), {"answer": next(self.answers)})

    def delete(self, name):
        StudentModule.objects.get(student=self.user, module_state_key=usage(name)).delete()

    def age(self, name, *, entries=True):
        """Make a row, and its entries, as old as if no clock could be wrong about it."""
        long_ago = timezone.now() - timedelta(days=1)
        plain_rows(StudentModule, "default").filter(module_state_key=usage(name)).update(modified=long_ago)
        if entries:
            plain_rows(StudentModuleHistory, ALIAS).filter(module_state_key=usage(name)).update(created=long_ago)

    def assert_readers_agree(self):
        before = Before.reading()
        entries = [*PendingHistory.objects.all(), *StudentModuleHistory.objects.all()]
        kept = {(type(entry), entry.pk) for entry in committed(entries)}
        # Taking note before spares queries and changes nothing.
        self.assertEqual({(type(entry), entry.pk) for entry in committed(entries, before)}, kept)
        blocks = {(entry.student_id, entry.module_state_key) for entry in entries}
        told = {(type(entry), entry.pk) for learner, block in blocks for entry in timeline(learner, block)}
        self.assertEqual(kept, told)
        return len(kept), len(entries)


class OneConnection(Agreement, TestCase):
    def test_rows_that_are_there(self):
        for name in ("one", "two", "one"):
            self.set(name)
        self.assertEqual(self.assert_readers_agree(), (3, 3))

    def test_versions_that_were_rolled_back(self):
        self.set("block")
        with rolled_back():
            self.set("block")
            self.set("new")
        self.assertEqual(self.assert_readers_agree(), (1, 3))

    def test_rows_that_were_deleted_and_made_again(self):
        for _ in range(2):
            self.set("block")
            self.delete("block")
        self.set("block")
        self.assertEqual(self.assert_readers_agree(), (5, 5))

    def test_deletions_that_were_rolled_back(self):
        self.set("block")
        with rolled_back():
            self.delete("block")
        self.assertEqual(self.assert_readers_agree(), (1, 1))

    def test_versions_that_were_rolled_back_before_a_deletion(self):
        self.set("block")
        with rolled_back():
            self.set("block")
            self.set("block")
        self.delete("block")
        self.assertEqual(self.assert_readers_agree(), (2, 4))

    def test_a_page_takes_three_queries_and_one_more_for_rows_that_are_gone(self):
        for name in ("one", "two", "three"):
            self.set(name)
        page = list(StudentModuleHistory.objects.all())
        with assert_queries(default=2, student_module_history=1):
            self.assertEqual(len(committed(page)), 3)
        self.delete("two")
        with assert_queries(default=2, student_module_history=2):
            self.assertEqual(len(committed(page)), 3)

    def test_a_page_read_after_taking_note_takes_one_query(self):
        for name in ("one", "two", "three"):
            self.set(name)
        before = Before.reading()
        page = list(StudentModuleHistory.objects.all())
        # Each is at its row's version and of its instant, though it was written just now.
        with assert_queries(default=1):
            self.assertEqual(len(committed(page, before)), 3)

    def test_earlier_versions_of_rows_written_lately_are_looked_at_again(self):
        self.set("one")
        self.set("one")
        before = Before.reading()
        page = list(StudentModuleHistory.objects.all())
        with assert_queries(default=2, student_module_history=1):
            self.assertEqual(len(committed(page, before)), 2)
        self.age("one")
        page = list(StudentModuleHistory.objects.all())
        with assert_queries(default=1):
            self.assertEqual(len(committed(page, before)), 2)

    def test_what_waited_is_looked_for_however_old_it_is(self):
        self.set("one")
        self.set("one")
        self.age("one")
        self.delete("one")
        self.set("two")
        before = Before.reading()
        self.assertTrue(before.any_waited)
        page = list(StudentModuleHistory.objects.all())
        with assert_queries(default=2, student_module_history=2):
            self.assertEqual(len(committed(page, before)), 3)

    def test_rows_gone_long_ago_take_one_more_query_each_on_both(self):
        self.set("one")
        self.delete("one")
        deliver()
        self.age("one")
        before = Before.reading()
        page = list(StudentModuleHistory.objects.all())
        with assert_queries(default=2, student_module_history=1):
            self.assertEqual(len(committed(page, before)), 2)

    def test_an_entry_of_another_instant_than_its_row_is_looked_at_again(self):
        self.set("one")
        plain_rows(StudentModuleHistory, ALIAS).update(created=timezone.now() - timedelta(days=1))
        self.age("one", entries=False)
        before = Before.reading()
        page = list(StudentModuleHistory.objects.all())
        with assert_queries(default=2, student_module_history=1):
            self.assertEqual(len(committed(page, before)), 1)

    def test_waiting_entries_need_no_query(self):
        self.set("one")
        self.delete("one")
        waiting = list(PendingHistory.objects.all())
        with assert_queries():
            self.assertEqual(committed(waiting), waiting)

    def test_no_entries_are_no_entries(self):
        self.assertEqual(committed([]), [])


class Races(Agreement, TransactionTestCase):
    """What happens between the queries of a page, which takes real commits on two connections' worth of data."""

    def phantom(self, name, *, modified):
        """Write an entry ahead of a version that is then rolled back, and return the page that shows it."""
        self.set(name)
        with rolled_back():
            self.set(name)
        plain_rows(StudentModule, "default").update(modified=modified)
        before = Before.reading()
        page = list(StudentModuleHistory.objects.order_by("version"))
        self.assertEqual([entry.version for entry in page], [1, 2])
        return before, page

    def test_a_phantom_whose_version_is_really_made_after_it_was_read_is_not_shown(self):
        before, page = self.phantom("block", modified=timezone.now() - timedelta(days=1))
        self.set("block")
        self.set("block")
        self.assertEqual([entry.version for entry in committed(page, before)], [1])
        self.assertEqual([entry.version for entry in committed(page)], [1])

    def test_a_phantom_whose_version_waited_and_is_delivered_after_it_was_read_is_not_shown(self):
        self.set("block")
        with rolled_back():
            self.set("block")
        with history_outage():
            self.set("block")
            self.set("block")
        plain_rows(StudentModule, "default").update(modified=timezone.now() - timedelta(days=1))
        before = Before.reading()
        page = list(StudentModuleHistory.objects.order_by("version"))
        self.assertEqual([entry.version for entry in page], [1, 2])
        deliver()
        self.assertFalse(PendingHistory.objects.exists())
        self.assertEqual([entry.version for entry in committed(page, before)], [1])

    def test_a_phantom_of_a_row_deleted_after_it_was_read_is_not_shown(self):
        before, page = self.phantom("block", modified=timezone.now() - timedelta(days=1))
        self.set("block")
        self.delete("block")
        self.assertEqual([entry.version for entry in committed(page, before)], [1])

    def test_versions_made_after_a_page_was_read_change_nothing_on_it(self):
        self.set("block")
        before = Before.reading()
        page = list(StudentModuleHistory.objects.all())
        self.set("block")
        self.assertEqual(committed(page, before), page)


class ReusedIds(Agreement, TransactionTestCase):
    """With real rollbacks: only those make SQLite give a row's id again to the next row."""

    def test_versions_of_a_row_that_was_rolled_back_are_nobody_s(self):
        with self.assertRaises(Rollback), transaction.atomic():
            for _ in range(3):
                self.set("block")
            raise Rollback
        self.set("block", self.other)
        self.set("block", self.other)
        kept, stored = self.assert_readers_agree()
        self.assertEqual(kept, 2)
        self.assertGreater(stored, kept)
