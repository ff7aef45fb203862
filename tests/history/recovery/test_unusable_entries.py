"""Recovery names entries that were altered, and does not use them."""

from unittest import mock

from django.db import connections

from history.models import StudentModuleHistory
from history.recovery import recover as recovery
from tests.history.recovery.backups import Backup, stored_rows
from tests.history.recovery.case import RecoveryTestCase


class Unusable(RecoveryTestCase):
    def lose(self):
        self.set(1)
        backup = Backup()
        self.set(2, 3, 4)
        backup.restore()

    def test_an_altered_entry_is_named_and_not_used(self):
        self.lose()
        self.entries(version=4).update(state='{"a":"forged"}')
        self.assertEqual(self.recover(), [("restored", 1, 3, False), ("altered", 1, 4, False)])
        self.assertEqual(self.progress.left, 1)
        self.assertEqual(self.timeline_values(), [3, 2, 1])

    def test_an_entry_with_an_invalid_usage_key(self):
        backup = Backup()
        self.set(1)
        lost = StudentModuleHistory.objects.get().student_module_id
        backup.restore()
        with connections["student_module_history"].cursor() as cursor:
            cursor.execute("UPDATE xblock_history_studentmodulehistory SET module_state_key = 'no key'")
        self.assertEqual(self.recover(), [("altered", 0, 1, False)])
        self.assertEqual((self.rows[0].row_id, self.rows[0].block), (lost, "no key"))

    def test_an_altered_entry_that_is_the_only_one(self):
        self.set(1)
        backup = Backup()
        self.set(2)
        backup.restore()
        self.entries(version=2).update(grade=100)
        before = stored_rows()
        for _ in range(2):
            self.assertEqual(self.recover(), [("altered", 1, 2, False)])
        self.assertEqual(stored_rows(), before)

    def test_a_digest_of_a_newer_format_is_named_and_not_used(self):
        self.lose()
        entry = self.entries(version=4).get()
        self.entries(version=4).update(digest=b"\x02" + entry.digest[1:])
        self.assertEqual(self.recover(), [("restored", 1, 3, False), ("unknown_format", 1, 4, False)])
        self.entries(version=4).update(digest=entry.digest)
        self.assertEqual(self.recover(), [("restored", 3, 4, False)])

    def test_an_entry_that_is_deleted_before_it_is_read(self):
        self.lose()
        entry_of = recovery.read_entry

        def erased(link):
            return entry_of(link) if link.version < 4 else None

        with mock.patch.object(recovery, "read_entry", erased):
            self.assertEqual(self.recover(), [("restored", 1, 3, False)])
