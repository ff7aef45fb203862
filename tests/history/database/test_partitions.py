"""The SQL of docs/howto/partitioning.md, and every use of the history on the partitioned table.

TransactionTestCase, because the statements commit.
"""

import tempfile
from pathlib import Path
from unittest import skipIf, skipUnless

from django.db import connection, connections, models, transaction
from django.test import TransactionTestCase, override_settings

from history.api import Recovery, deliver, recover, restore, timeline
from history.models import PendingHistory, StudentModuleHistory
from history.reading.scan import delivered
from history.recording.write_ahead import write_entries
from history.testing import history_unavailable
from kvstore.api import DjangoXBlockUserStateClient
from kvstore.models import StudentModule
from kvstore.testing import UserFactory, assert_queries
from tests.documentation.documents import DOCS, blocks
from tests.history.database.roles import ENTRIES, run
from tests.history.outages import ALIAS, rolled_back
from tests.history.recovery.backups import Backup
from tests.history.verification.sealing import seal_into, verify_history
from tests.kvstore.cache.blocks import usage

PAGE = DOCS / "howto" / "partitioning.md"
GO_BACK = "\n## Go back\n"

PARTITIONS = {
    "postgresql": "SELECT relname FROM pg_partition_tree(%s) JOIN pg_class ON oid = relid WHERE level = 1",
    "mysql": "SELECT partition_name FROM information_schema.partitions "
    "WHERE table_schema = DATABASE() AND table_name = %s AND partition_name IS NOT NULL",
}
"""the queries for the names of the partitions"""
NUMBER_OF_PARTITIONS = 16

BLOCKS = [usage(f"block{number:02}") for number in range(24)]
"""more than a statement needs to send its rows as a record set"""


def page_blocks(*, back: bool = False) -> list[str]:
    """Return the blocks of the page that convert the table, or those that go back."""
    forward, _, backward = PAGE.read_text(encoding="utf-8").partition(GO_BACK)
    found = blocks(PAGE, backward if back else forward)
    return [block.code for block in found if block.language == "sql" and block.vendor == connection.vendor]


def recreate_table() -> None:
    """Create the table of entries as migrations do, after a test that ended in between."""
    with connections[ALIAS].cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("DROP SCHEMA IF EXISTS history_partitions, unpartitioned CASCADE")
        cursor.execute(f"DROP TABLE IF EXISTS {ENTRIES}")
    with connections[ALIAS].schema_editor() as editor:
        editor.create_model(StudentModuleHistory)


class PartitionsTestCase(TransactionTestCase):
    databases = {"default", ALIAS}

    def setUp(self):
        self.user = UserFactory()
        self.client = DjangoXBlockUserStateClient(self.user)
        for value in (1, 2):
            self.set_all(value)

    def set_all(self, value):
        self.client.set_many(self.user.username, {key: {"a": value} for key in BLOCKS})

    def set(self, value, key=BLOCKS[0]):
        self.client.set(self.user.username, key, {"a": value})

    def row(self):
        return StudentModule.objects.get(student=self.user, module_state_key=BLOCKS[0])

    def assert_versions(self, *versions, key=BLOCKS[0]):
        self.assertEqual([entry.version for entry in timeline(self.user, key)], list(versions))

    def assert_verified(self, entries):
        report = verify_history()
        self.assertEqual((report.code, report.problems, report.sums["entries"]), (0, [], entries))


@skipIf(connection.vendor == "sqlite", "SQLite has no partitions")
class Conversion(PartitionsTestCase):
    def partitions(self):
        with connections[ALIAS].cursor() as cursor:
            cursor.execute(PARTITIONS[connection.vendor], [ENTRIES])
            return [name for (name,) in cursor.fetchall()]

    def test_both_directions_keep_every_entry(self):
        self.addCleanup(recreate_table)
        run(*page_blocks())
        self.assertEqual(len(self.partitions()), NUMBER_OF_PARTITIONS)
        self.assert_verified(2 * len(BLOCKS))
        self.set_all(3)
        run(*page_blocks(back=True))
        self.assertEqual(self.partitions(), [])
        self.set_all(4)
        for key in BLOCKS:
            self.assert_versions(4, 3, 2, 1, key=key)
        self.assert_verified(4 * len(BLOCKS))
        with connections[ALIAS].cursor() as cursor:
            found = connections[ALIAS].introspection.get_constraints(cursor, ENTRIES)
        self.assertTrue({index.name for index in StudentModuleHistory._meta.indexes} <= set(found))
        self.assertTrue(any(one["primary_key"] and one["columns"] == ["id"] for one in found.values()))

    @skipUnless(connection.vendor == "postgresql", "MariaDB copies the table in one statement")
    @override_settings(HISTORY_ON_DELETE="erase")
    def test_changes_during_the_copy_are_kept(self):
        self.addCleanup(recreate_table)
        statements = page_blocks()
        (exchange,) = (place for place, sql in enumerate(statements) if "SET SCHEMA" in sql)
        run(*statements[:exchange])
        self.row().delete()
        self.set(1)
        self.set_all(3)
        run(*statements[exchange:])
        self.assert_versions(2, 1)
        self.assert_versions(3, 2, 1, key=BLOCKS[1])
        self.assert_verified(3 * (len(BLOCKS) - 1) + 2)

    def test_later_migrations_change_all_partitions(self):
        self.addCleanup(recreate_table)
        run(*page_blocks())
        index = models.Index(fields=["actor_id"], name="added_later_idx")
        column = models.IntegerField(null=True)
        column.set_attributes_from_name("added_later")
        (constraint,) = StudentModuleHistory._meta.constraints
        with connections[ALIAS].schema_editor() as editor:
            editor.add_index(StudentModuleHistory, index)
            editor.add_field(StudentModuleHistory, column)
        self.set(3)
        with connections[ALIAS].schema_editor() as editor:
            editor.remove_field(StudentModuleHistory, column)
            editor.remove_index(StudentModuleHistory, index)
            editor.remove_index(StudentModuleHistory, StudentModuleHistory._meta.indexes[0])
            editor.remove_constraint(StudentModuleHistory, constraint)
        self.assert_versions(3, 2, 1)


@skipIf(connection.vendor == "sqlite", "SQLite has no partitions")
class PartitionedTable(PartitionsTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(recreate_table)
        run(*page_blocks())

    def test_writes_take_the_same_number_of_statements(self):
        with assert_queries(default=4, student_module_history=1):
            self.set(3)
        with transaction.atomic(), assert_queries(default=4, student_module_history=1):
            self.set_all(4)
        self.set(1, key=usage("new"))
        self.assert_versions(4, 3, 2, 1)
        self.assert_versions(1, key=usage("new"))
        ids = StudentModuleHistory.objects.values_list("pk", flat=True)
        self.assertEqual(len(set(ids)), len(ids))

    def test_a_rolled_back_version_is_not_shown(self):
        with rolled_back():
            self.set(3)
        self.assert_versions(2, 1)
        self.set(4)
        self.assert_versions(3, 2, 1)

    def test_pending_entries_are_delivered_once(self):
        with history_unavailable():
            self.set_all(3)
        self.assertEqual(PendingHistory.objects.count(), len(BLOCKS))
        write_entries([entry.as_version() for entry in PendingHistory.objects.all()[:3]])
        self.assertEqual(deliver().delivered, len(BLOCKS))
        self.assertFalse(PendingHistory.objects.exists())
        self.assert_verified(3 * len(BLOCKS))

    def test_a_seal_finds_a_removed_entry(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "seal.jsonl"
            self.assertEqual(seal_into(path)["entries"], 2 * len(BLOCKS))
            self.assertEqual(verify_history(sealed=str(path)).code, 0)
            delivered().filter(student_module_id=self.row().pk, version=1).delete()
            report = verify_history(sealed=str(path))
        self.assertEqual((report.code, report.problems), (1, [("sealed_removed", self.row().pk, [1])]))

    def test_a_version_is_restored(self):
        first = list(timeline(self.user, BLOCKS[0]))[-1]
        restore(first, expected_version=2, actor=self.user, reason="lost")
        self.assertEqual(self.row().state, '{"a":1}')
        self.assert_versions(3, 2, 1)

    def test_the_state_is_recovered_after_a_restored_backup(self):
        backup = Backup()
        self.set_all(3)
        self.set(1, key=usage("new"))
        backup.restore()
        progress = Recovery()
        recover(progress, lambda row: None)
        self.assertEqual(dict(progress.results), {"restored": len(BLOCKS) + 1})
        self.assertEqual(self.row().state, '{"a":3}')
        self.assert_verified(3 * len(BLOCKS) + 1)

    @override_settings(HISTORY_ON_DELETE="erase")
    def test_the_entries_of_a_deleted_row_are_erased(self):
        row = self.row()
        row_id = row.pk
        row.delete()
        self.assertFalse(StudentModuleHistory.objects.filter(student_module_id=row_id).exists())
        self.assert_verified(2 * (len(BLOCKS) - 1))
