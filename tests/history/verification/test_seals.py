"""A seal lists the newest entry of each row. Changes that the store makes after a seal are accepted."""

import hashlib
import json
from unittest import mock

from django.core.management import CommandError
from django.db import connections
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from history.api import deliver
from history.models import PendingHistory, StudentModuleHistory
from history.reading import scan
from history.reading.scan import delivered
from history.verification.seal_files import SealFile
from kvstore.models import StudentModule
from kvstore.querysets import unguarded
from tests.history.outages import history_outage, rolled_back
from tests.history.verification.case import SealTestCase
from tests.history.verification.sealing import batches_of


class Sealed(SealTestCase):
    def test_the_lines_and_the_digest_over_them(self):
        last = self.seal()
        first, *heads, end = self.path.read_bytes().splitlines(keepends=True)
        self.assertEqual(json.loads(first), {"format": 1, "time": last["time"]})
        self.assertEqual(json.loads(end), last)
        expected = [(self.tides, 5, 5), (self.rivers, 1, 1), (self.lakes, 1, 1)]
        expected = [[row.pk, version, count, row.digest.hex()] for row, version, count in expected]
        self.assertEqual([*map(json.loads, heads)], expected)
        self.assertEqual(last["seal"], hashlib.sha256(b"".join(heads)).hexdigest())
        self.assertEqual((last["format"], last["rows"], last["entries"]), (1, 3, 7))

    def test_the_digest_depends_on_the_entries_alone(self):
        seals = [self.seal()["seal"]]
        for size in (1, 2):
            with batches_of(size):
                seals.append(self.seal()["seal"])
        self.assertEqual(len(set(seals)), 1)
        self.set("lakes", 2)
        self.assertNotIn(self.seal()["seal"], seals)

    def test_versions_that_were_rolled_back_are_not_sealed(self):
        before = self.seal()
        with rolled_back():
            self.set("tides", "undone")
            self.set("new", 1)
        self.assertEqual(StudentModuleHistory.objects.count(), 9)
        self.assertEqual(self.seal()["seal"], before["seal"])

    def test_an_empty_history(self):
        StudentModule.objects.all().delete()
        for queryset in (delivered(), PendingHistory.objects.all()):
            queryset.delete()
        self.assertEqual(self.seal()["rows"], 0)
        self.assert_unchanged(0, 0)

    def test_a_row_that_exists_in_pending_entries_alone(self):
        with history_outage():
            self.set("new", 1)
            self.row("new").delete()
        self.assertEqual(PendingHistory.objects.count(), 2)
        self.assertEqual(self.seal()["rows"], 4)
        with batches_of(1):
            self.assertEqual(self.seal()["rows"], 4)
        self.assert_unchanged(4, 9)

    def test_an_entry_with_a_malformed_digest_is_named_and_not_sealed(self):
        for rows in (unguarded(StudentModule, "default").filter(pk=self.rivers.pk), self.entries(self.rivers)):
            rows.update(digest=b"\x01short")
        with self.assertRaisesRegex(CommandError, f"1 entries .* row {self.rivers.pk} version 1") as raised:
            self.seal()
        self.assertEqual(raised.exception.returncode, 1)
        self.assert_unchanged(2, 6)

    def test_no_state_is_read(self):
        databases = [connections[alias] for alias in ("default", "student_module_history")]
        captured = [self.enterContext(CaptureQueriesContext(database)) for database in databases]
        self.seal()
        statements = [query["sql"].replace("`", '"') for queries in captured for query in queries]
        self.assertGreater(len(statements), 4)
        self.assertEqual([statement for statement in statements if '"state"' in statement], [])


class Unchanged(SealTestCase):
    """The store may do all of this after a seal."""

    def test_nothing(self):
        self.seal()
        with batches_of(1):
            self.assert_unchanged(3, 7)
        for options in ({}, {"no_digests": True}):
            report = self.assert_unchanged(3, 7, **options)
        self.assertEqual((report.sums["erased"], report.sums["sealed"]["rows"]), (0, 3))

    def test_in_pages_of_few_entries(self):
        self.seal()
        self.enterContext(mock.patch.object(scan, "PAGE_SIZE", 2))
        self.assert_unchanged(3, 7)

    def test_entries_that_were_pending_are_delivered(self):
        with history_outage():
            self.set("tides", 6)
            self.set("new", 1)
        self.assertEqual(self.seal()["entries"], 9)
        self.assert_unchanged(4, 9)
        deliver()
        self.assertFalse(PendingHistory.objects.exists())
        self.assert_unchanged(4, 9)

    def test_writes_and_rollbacks(self):
        self.seal()
        self.set("tides", 6)
        with rolled_back():
            self.set("tides", "undone")
            self.set("rivers", "undone")
        with history_outage():
            self.set("tides", 7)
            self.set("rivers", 2)
        self.set("new", 1)
        self.assert_unchanged(3, 7)

    def test_a_version_beside_one_that_was_rolled_back(self):
        with rolled_back():
            self.set("tides", "undone")
        self.set("tides", 6)
        self.seal()
        self.assert_unchanged(3, 8)

    def test_deletions(self):
        self.row("rivers").delete()
        self.assertEqual(self.seal()["entries"], 8)
        self.row("tides").delete()
        self.set("tides", 1)
        self.assert_unchanged(3, 8)

    @override_settings(HISTORY_ON_DELETE="erase")
    def test_erasures_are_counted(self):
        self.seal()
        self.row("tides").delete()
        self.assertEqual(self.entries(self.tides).count(), 0)
        report = self.assert_unchanged(3, 2)
        self.assertEqual(report.sums["erased"], 1)

    @override_settings(HISTORY_ON_DELETE="erase")
    def test_every_row_was_erased(self):
        self.seal()
        StudentModule.objects.all().delete()
        self.assertEqual(self.assert_unchanged(3, 0).sums["erased"], 3)

    def restore(self, backup):
        columns = {name: value for name, value in backup.items() if name != "id"}
        unguarded(StudentModule, "default").filter(pk=backup["id"]).update(**columns)

    def backup(self, row):
        return unguarded(StudentModule, "default").filter(pk=row.pk).values().get()

    def test_the_state_was_restored_from_a_backup(self):
        backup = self.backup(self.tides)
        self.set("tides", 6)
        self.set("tides", 7)
        self.seal()
        self.restore(backup)
        self.set("tides", "another")
        self.assert_unchanged(3, 9)

    def test_a_branch_that_a_deletion_proves_is_sealed_too(self):
        backup = self.backup(self.tides)
        self.set("tides", 6)
        self.row("tides").delete()
        StudentModule(**backup).save_base(raw=True)
        self.set("tides", "another")
        last = self.seal()
        self.assertEqual((last["rows"], last["entries"]), (3, 10))
        heads = [head for head in SealFile(self.path).heads() if head.row_id == self.tides.pk]
        self.assertEqual([(head.version, head.entries) for head in heads], [(6, 6), (7, 2)])
        self.assert_unchanged(3, 10)
        self.entries(self.tides, 7).delete()
        self.assert_found(("sealed_removed", self.tides.pk, [7]))

    def test_versions_that_were_not_recorded(self):
        with override_settings(HISTORY_BLOCK_TYPES=[]):
            self.set("tides", 6)
        self.set("tides", 7)
        self.seal()
        heads = [head for head in SealFile(self.path).heads() if head.row_id == self.tides.pk]
        self.assertEqual([(head.version, head.entries) for head in heads], [(5, 5), (7, 1)])
        self.assert_unchanged(3, 8)
        self.entries(self.tides, 3).update(state="{}")
        self.assert_found(("sealed_changed", self.tides.pk, [3]))

    def test_a_run_goes_on_where_another_ended(self):
        self.seal()
        self.entries(self.tides, 3).delete()
        self.assert_unchanged(2, 2, after=self.tides.pk)


class Meanwhile(SealTestCase):
    """The store writes between two queries of a command: after the pending entries and before the delivered ones."""

    def meanwhile(self, change):
        """Make a change, once, before the next query for delivered entries."""
        read = scan.in_pages

        def read_after(*arguments):
            patch.stop()
            change()
            return read(*arguments)

        patch = mock.patch.object(scan, "in_pages", read_after)
        patch.start()
        self.addCleanup(patch.stop)

    def test_a_delivery(self):
        with history_outage():
            self.set("tides", 6)
        expected = self.seal()["seal"]
        self.meanwhile(deliver)
        self.assert_unchanged(3, 8)
        self.assertFalse(PendingHistory.objects.exists())
        with history_outage():
            self.set("tides", 7)
        self.assertNotEqual(self.seal()["seal"], expected)
        expected = self.seal()["seal"]
        self.meanwhile(deliver)
        self.assertEqual(self.seal()["seal"], expected)

    def test_a_write_is_sealed_next_time(self):
        expected = self.seal()["seal"]
        self.meanwhile(lambda: self.set("tides", 6))
        self.assertEqual(self.seal()["seal"], expected)
        self.assertNotEqual(self.seal()["seal"], expected)

    def test_a_deletion(self):
        self.meanwhile(lambda: self.row("tides").delete())
        self.assertEqual(self.seal()["entries"], 8)
        self.assert_unchanged(3, 8)

    @override_settings(HISTORY_ON_DELETE="erase")
    def test_an_erasure(self):
        self.seal()
        self.meanwhile(lambda: self.row("tides").delete())
        self.assertEqual(self.assert_unchanged(3, 2).sums["erased"], 1)
