"""Recovery inserts rows that were created after the backup."""

from unittest import mock

from django.db import IntegrityError, connection
from django.utils import timezone

from history.models import StudentModuleHistory
from kvstore.models import StudentModule
from kvstore.querysets import unguarded
from kvstore.testing import StudentModuleFactory
from kvstore.versioning import rows
from tests.history.outages import history_outage, rolled_back
from tests.history.recovery.backups import Backup, stored_rows
from tests.history.recovery.case import BLOCK, RecoveryTestCase
from tests.kvstore.cache.blocks import usage


class Missing(RecoveryTestCase):
    """Rows that were made after the backup."""

    def test_a_row_gets_its_id_and_its_time_of_creation(self):
        self.set(1, block=usage("older"))
        backup = Backup()
        self.set(1, 2, 3)
        lost = stored_rows()
        backup.restore()
        self.assertEqual(self.recover(), [("restored", 0, 3, False)])
        self.assertEqual(stored_rows(), lost)
        self.assertEqual(self.problems(), [])

    def test_new_rows_get_ids_above_those_of_the_history(self):
        self.set(1)
        backup = Backup()
        for number in range(3):
            self.set(1, block=usage(f"lost{number}"))
        with rolled_back():
            self.set(1, block=usage("undone"))
        highest = max(StudentModuleHistory.objects.values_list("student_module_id", flat=True))
        backup.restore()
        self.assertEqual(self.recover(only_proved=True), [])
        self.assertEqual(self.progress.next_id, (self.row().pk + 1, highest + 1))
        self.set(1, block=usage("new"))
        self.assertGreater(self.row(usage("new")).pk, highest)
        self.recover()
        self.assertEqual(self.progress.next_id, (highest + 2, highest + 2))

    def test_the_first_row_of_a_table_gets_an_id_above_those_of_the_history(self):
        self.set(1)
        lost = self.row().pk
        with connection.cursor() as cursor:
            unguarded(StudentModule, "default")._raw_delete("default")
            if connection.vendor == "sqlite":
                cursor.execute("DELETE FROM sqlite_sequence WHERE name = %s", [StudentModule._meta.db_table])
        self.recover(only_proved=True)
        self.set(1, block=usage("new"))
        self.assertGreater(self.row(usage("new")).pk, lost)

    def test_the_time_of_creation_where_the_first_entries_are_missing(self):
        backup = Backup()
        self.set(1, 2, 3)
        self.entries(version=1).delete()
        second = StudentModuleHistory.objects.get(version=2)
        backup.restore()
        self.recover()
        self.assertEqual(self.rows[0].missing, [1])
        self.assertEqual((self.row().created, self.row().version), (second.created, 3))

    def test_an_id_that_another_row_has(self):
        backup = Backup()
        self.set(1, 2)
        backup.restore()
        lost = StudentModuleHistory.objects.first().student_module_id
        StudentModuleFactory(pk=lost, module_type="html")
        before = stored_rows()
        self.assertEqual(self.recover(), [("taken", 0, 2, False)])
        self.assertEqual(self.progress.left, 0)
        self.assertEqual(self.recover(only_proved=True), [("taken", 0, 1, True)])
        self.assertEqual(self.progress.left, 1)
        self.assertEqual(stored_rows(), before)

    def test_a_learner_with_another_row_for_the_block(self):
        backup = Backup()
        self.set(1, 2, 3)
        backup.restore()
        lost = StudentModuleHistory.objects.first().student_module_id
        StudentModuleFactory(pk=lost + 1, student=self.user, module_state_key=BLOCK)
        self.assertEqual(self.recover(only_proved=True), [("other_row", 0, 2, True)])
        self.assertEqual(self.progress.left, 1)
        self.assertEqual(self.row().version, 1)

    def test_a_row_after_a_first_attempt_that_was_rolled_back(self):
        """The entry of the first attempt has an id of its own, and on SQLite the same one."""
        backup = Backup()
        with rolled_back():
            self.set("undone")
        self.set(1)
        lost = stored_rows()
        backup.restore()
        self.assertEqual(self.recover(), [("restored", 0, 1, False)])
        self.assertEqual(stored_rows(), lost)
        self.assertEqual(self.recover(), [])

    def test_a_row_that_was_replaced_although_no_entry_records_its_deletion(self):
        backup = Backup()
        self.set(1, 2)
        with history_outage():
            self.row().delete()
        self.set(3)
        lost = stored_rows()
        backup.restore()
        self.assertEqual(self.recover(only_proved=True), [("other_row", 0, 1, True)])
        self.assertEqual(self.recover()[-1], ("restored", 0, 1, False))
        self.assertEqual(stored_rows(), lost)

    def test_a_first_attempt_after_the_restore_that_was_rolled_back(self):
        backup = Backup()
        self.set(1)
        lost, moment = stored_rows(), timezone.now()
        backup.restore()
        self.recover(only_proved=True)
        with rolled_back():
            self.set("undone")
        self.assertEqual(self.recover(until=moment), [("restored", 0, 1, False)])
        self.assertEqual(stored_rows(), lost)

    def test_a_missing_learner(self):
        backup = Backup()
        self.set(1)
        backup.restore()
        self.user.__class__._base_manager.filter(pk=self.user.pk)._raw_delete("default")
        self.assertEqual(self.recover(), [("missing_learner", 0, 1, False)])
        self.assertEqual((self.progress.left, stored_rows()), (1, []))
        self.user.save(force_insert=True)
        self.assertEqual(self.recover(), [("restored", 0, 1, False)])

    def test_a_learner_deleted_before_the_row_is_committed(self):
        backup = Backup()
        self.set(1)
        backup.restore()
        with mock.patch.object(rows, "insert", side_effect=IntegrityError):
            with self.assertRaises(IntegrityError):
                self.recover()
            with mock.patch("kvstore.storage.recovery._has_learner", side_effect=[True, True, True, False]):
                self.assertEqual(self.recover(), [("missing_learner", 0, 1, False)])

    def test_a_row_that_another_session_inserts_first(self):
        backup = Backup()
        self.set(1, 2)
        lost = stored_rows()
        backup.restore()
        insert, raced = rows.insert, []

        def insert_late(model, new, using):
            if not raced:
                raced.append(True)
                raise IntegrityError
            insert(model, new, using)

        with mock.patch.object(rows, "insert", insert_late):
            self.assertEqual(self.recover(), [("restored", 0, 2, False)])
        self.assertEqual(stored_rows(), lost)
