"""Recovery restores rows that the backup has at an older version."""

from datetime import timedelta
from unittest import mock

from django.db import transaction
from django.utils import timezone

from history.api import deliver
from history.models import PendingHistory
from history.recovery import recover as recovery
from kvstore.api import set_score
from kvstore.testing import assert_queries
from tests.history.outages import history_outage, rolled_back
from tests.history.recovery.backups import Backup, stored_rows
from tests.history.recovery.case import BLOCK, RecoveryTestCase
from tests.kvstore.cache.blocks import usage


class SetBack(RecoveryTestCase):
    """Rows that a backup has, at an older version."""

    def test_a_row_gets_every_column_of_the_version_that_it_had(self):
        self.set(1, 2)
        backup = Backup()
        self.set(3)
        set_score(self.user.pk, BLOCK, 0.1, 3)
        lost = stored_rows()
        backup.restore()
        self.assertEqual(self.recover(), [("restored", 2, 4, False)])
        self.assertEqual(stored_rows(), lost)
        self.assertEqual(self.problems(), [])
        self.assertEqual(self.timeline_values(), [3, 3, 2, 1])

    def test_the_next_version_continues_the_restored_one(self):
        self.set(1)
        backup = Backup()
        self.set(2, 3)
        backup.restore()
        self.recover()
        self.client.set(self.user.username, BLOCK, {"b": 1})
        self.assertEqual(self.problems(), [])
        self.assertEqual(self.timeline_values(), [3, 3, 2, 1])

    def test_several_versions_of_one_transaction(self):
        self.set(1)
        backup = Backup()
        with transaction.atomic():
            self.set(2, 3)
        backup.restore()
        self.assertEqual(self.recover(only_proved=True), [])
        self.assertEqual(self.recover(), [("restored", 1, 3, False)])
        self.assertEqual(self.progress.not_proved, 1)
        self.assertEqual(self.problems(), [])

    def test_a_version_that_a_later_transaction_continued_is_proved(self):
        self.set(1)
        backup = Backup()
        with transaction.atomic():
            self.set(2, 3)
        self.set(4)
        backup.restore()
        self.assertEqual(self.recover(only_proved=True), [("restored", 1, 3, True)])
        self.assertEqual(self.recover(), [("restored", 3, 4, False)])

    def test_a_newest_version_that_was_rolled_back_is_restored_as_not_proved(self):
        self.set(1)
        backup = Backup()
        self.set(2, 3)
        with rolled_back():
            self.set("undone")
        backup.restore()
        # The transaction that was rolled back continued version 3.
        self.assertEqual(self.recover(only_proved=True), [("restored", 1, 3, True)])
        self.assertEqual(self.recover(), [("restored", 3, 4, False)])
        self.assertEqual(self.timeline_values(), ["undone", 3, 2, 1])

    def test_a_version_that_replaced_one_that_was_rolled_back(self):
        self.set(1)
        backup = Backup()
        with rolled_back():
            self.set("undone", "undone too", "undone as well")
        self.set(2)
        lost = stored_rows()
        backup.restore()
        self.assertEqual(self.recover(), [("restored", 1, 2, False)])
        self.assertEqual(stored_rows(), lost)
        self.assertEqual(self.problems(), [("phantom", [4, 3, 2])])

    def test_a_version_that_was_rolled_back_long_before_the_backup_stays_out(self):
        self.set(1)
        with rolled_back():
            self.set("undone")
        self.assertEqual(self.recover(since=timezone.now() + timedelta(hours=2)), [])
        self.assertEqual(self.recover(since=timezone.now() + timedelta(minutes=30)), [("restored", 1, 2, False)])

    def test_since_leaves_out_no_version_that_is_proved(self):
        self.set(1)
        backup = Backup()
        self.set(2, 3)
        backup.restore()
        self.assertEqual(self.recover(since=timezone.now() + timedelta(hours=2)), [("restored", 1, 2, True)])

    def test_a_gap_is_named_and_later_versions_are_recovered(self):
        self.set(1)
        backup = Backup()
        with history_outage():
            self.set(2, 3)
        self.set(4, 5)
        lost = stored_rows()
        backup.restore()
        self.assertEqual(self.recover(), [("restored", 1, 5, False)])
        self.assertEqual(self.rows[0].missing, [2, 3])
        self.assertEqual(stored_rows(), lost)
        self.assertEqual(self.problems(), [("gap", [2, 3])])
        self.assertEqual(self.timeline_values(), [5, 4, 1])

    def test_entries_that_the_backup_has_as_pending_and_that_were_delivered_since(self):
        self.set(1)
        with history_outage():
            self.set(2)
        backup = Backup()
        deliver()
        self.set(3, 4)
        lost = stored_rows()
        backup.restore()
        self.assertEqual(PendingHistory.objects.count(), 1)
        self.assertEqual(self.recover(), [("restored", 2, 4, False)])
        self.assertEqual(stored_rows(), lost)
        self.assertEqual(self.timeline_values(), [4, 3, 2, 1])
        self.assertEqual(deliver().delivered, 1)
        self.assertEqual(self.problems(), [])

    def test_rows_that_are_as_the_history_has_them_are_not_read(self):
        for number in range(5):
            self.set(1, 2, block=usage(f"block{number}"))
        # Ids and versions of the rows, pending and erased ids, of one batch; the ids after the last one; the sequence.
        with mock.patch.object(recovery, "keep_above"), assert_queries(default=6, student_module_history=6):
            self.assertEqual(self.recover(), [])
        self.assertEqual(self.progress.rows, 5)
