"""Recovery deletes rows that were deleted after the backup."""

from django.db import transaction
from django.test import override_settings

from history.models import PendingHistory, StudentModuleHistory
from tests.history.recovery.backups import Backup, stored_rows
from tests.history.recovery.case import RecoveryTestCase
from tests.kvstore.cache.blocks import usage


class Deleted(RecoveryTestCase):
    def test_a_row_that_was_deleted_after_the_backup_is_deleted(self):
        self.set(1, 2)
        self.set(1, block=usage("kept"))
        backup = Backup()
        self.set(3)
        self.row().delete()
        lost, entries = stored_rows(), StudentModuleHistory.objects.count()
        backup.restore()
        self.assertEqual(self.recover(only_proved=True), [("deleted", 2, 4, True)])
        self.assertEqual(stored_rows(), lost)
        self.assertEqual(StudentModuleHistory.objects.count() + PendingHistory.objects.count(), entries)
        self.assertEqual(self.problems(), [])
        self.assertEqual(self.timeline_values(), [None, 3, 2, 1])

    def test_a_deletion_proves_every_version_before_it(self):
        self.set(1)
        backup = Backup()
        with transaction.atomic():
            self.set(2)
            self.row().delete()
        backup.restore()
        self.assertEqual(self.recover(only_proved=True), [("deleted", 1, 3, True)])

    def test_a_row_that_was_made_and_deleted_after_the_backup_stays_missing(self):
        backup = Backup()
        self.set(1)
        self.row().delete()
        backup.restore()
        self.assertEqual(self.recover(), [])

    def test_a_block_that_was_begun_anew_after_its_row_was_deleted(self):
        self.set(1)
        backup = Backup()
        self.row().delete()
        self.set(2, 3)
        lost = stored_rows()
        backup.restore()
        self.assertEqual(self.recover(), [("deleted", 1, 2, True), ("restored", 0, 2, False)])
        self.assertEqual(stored_rows(), lost)
        self.assertEqual(self.timeline_values(), [3, 2, None, 1])

    @override_settings(HISTORY_ON_DELETE="erase")
    def test_a_row_with_erased_entries_is_named(self):
        self.set(1)
        backup = Backup()
        self.row().delete()
        backup.restore()
        before = stored_rows()
        self.assertEqual(self.recover(), [("erased", 1, None, False)])
        self.assertEqual((self.progress.left, stored_rows()), (1, before))
