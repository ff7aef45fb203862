"""The timeline of a block, and the committed entries on a page of many rows, are the same."""

from itertools import count

from django.db import transaction
from django.test import TestCase, TransactionTestCase

from history.api import timeline
from history.models import PendingHistory, StudentModuleHistory
from history.reading.committed import committed
from history.recording.delivery import deliver
from kvstore.api import DjangoXBlockUserStateClient
from kvstore.models import StudentModule
from kvstore.testing import UserFactory, assert_queries
from tests.history.outages import Rollback, history_outage, rolled_back
from tests.kvstore.cache.blocks import usage


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

    def assert_readers_agree(self):
        entries = [*PendingHistory.objects.all(), *StudentModuleHistory.objects.all()]
        kept = {(type(entry), entry.pk) for entry in committed(entries)}
        # Each entry alone is decided as all of them together.
        self.assertEqual({(type(entry), entry.pk) for entry in entries if committed([entry])}, kept)
        blocks = {(entry.student_id, entry.module_state_key) for entry in entries}
        shown = {(type(entry), entry.pk) for learner, block in blocks for entry in timeline(learner, block)}
        self.assertEqual(kept, shown)
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

    def test_versions_beside_one_that_was_rolled_back(self):
        for _ in range(3):
            self.set("block")
            with rolled_back():
                self.set("block")
                with rolled_back():
                    self.set("block")
        self.assertEqual(self.assert_readers_agree(), (3, 9))

    def test_a_page_of_newest_versions_takes_one_query(self):
        for name in ("one", "two", "three", "one"):
            self.set(name)
        page = list(StudentModuleHistory.objects.all())
        with assert_queries(default=1):
            self.assertEqual(len(committed(page)), 4)

    def test_older_versions_take_one_query_more_on_each_database(self):
        for name in ("one", "one", "two", "two"):
            self.set(name)
        page = list(StudentModuleHistory.objects.filter(version=1))
        with assert_queries(default=2, student_module_history=1):
            self.assertEqual(len(committed(page)), 2)

    def test_rows_that_are_gone_take_one_query_more_on_each_database(self):
        for name in ("one", "one", "two"):
            self.set(name)
        self.delete("one")
        self.delete("two")
        deliver()
        page = list(StudentModuleHistory.objects.exclude(action="deleted"))
        with assert_queries(default=2, student_module_history=1):
            self.assertEqual(len(committed(page)), 3)
        page = list(StudentModuleHistory.objects.all())
        with assert_queries(default=1):
            self.assertEqual(len(committed(page)), 5)

    def test_pending_entries_need_no_query(self):
        self.set("one")
        self.delete("one")
        pending = list(PendingHistory.objects.all())
        with assert_queries():
            self.assertEqual(committed(pending), pending)

    def test_without_entries_the_result_is_empty(self):
        self.assertEqual(committed([]), [])


class Races(Agreement, TransactionTestCase):
    """Writes between the queries of a page, which need real commits on two connections."""

    def page_with_phantom(self, name):
        """Write an entry ahead of a version that is then rolled back, and return the page that shows it."""
        self.set(name)
        with rolled_back():
            self.set(name)
        page = list(StudentModuleHistory.objects.order_by("version"))
        self.assertEqual([entry.version for entry in page], [1, 2])
        return page

    def test_a_phantom_is_not_shown_if_its_version_is_made_after_it_was_read(self):
        page = self.page_with_phantom("block")
        self.set("block")
        self.set("block")
        self.assertEqual([entry.version for entry in committed(page)], [1])

    def test_a_phantom_is_not_shown_if_its_version_is_delivered_after_it_was_read(self):
        self.set("block")
        with rolled_back():
            self.set("block")
        with history_outage():
            self.set("block")
            self.set("block")
        page = list(StudentModuleHistory.objects.order_by("version"))
        self.assertEqual([entry.version for entry in page], [1, 2])
        deliver()
        self.assertFalse(PendingHistory.objects.exists())
        self.assertEqual([entry.version for entry in committed(page)], [1])

    def test_a_phantom_of_a_row_deleted_after_it_was_read_is_not_shown(self):
        page = self.page_with_phantom("block")
        self.set("block")
        self.delete("block")
        self.assertEqual([entry.version for entry in committed(page)], [1])

    def test_versions_made_after_a_page_was_read_change_nothing_on_it(self):
        self.set("block")
        page = list(StudentModuleHistory.objects.all())
        self.set("block")
        self.assertEqual(committed(page), page)


class ReusedIds(Agreement, TransactionTestCase):
    """With real rollbacks: SQLite reuses a row's id only after a real rollback."""

    def test_versions_of_a_row_that_was_rolled_back_belong_to_no_timeline(self):
        with self.assertRaises(Rollback), transaction.atomic():
            for _ in range(3):
                self.set("block")
            raise Rollback
        self.set("block", self.other)
        self.set("block", self.other)
        kept, stored = self.assert_readers_agree()
        self.assertEqual(kept, 2)
        self.assertGreater(stored, kept)
