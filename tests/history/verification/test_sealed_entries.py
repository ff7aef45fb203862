"""Verification with a seal names the entries that were changed or removed, and refuses another seal."""

import io

from django.core.management import CommandError, call_command

from history.models import Erasure, PendingHistory
from history.reading.scan import delivered
from kvstore.models import StudentModule
from kvstore.querysets import unguarded
from tests.history.outages import history_outage
from tests.history.verification.case import SealTestCase
from tests.history.verification.sealing import batches_of


class Tampered(SealTestCase):
    def test_values_and_digests(self):
        self.seal()
        self.entries(self.tides, 2, 5).update(state='{"a":0}')
        self.entries(self.rivers).update(digest=b"\x01" + b"0" * 32)
        expected = ("sealed_changed", self.tides.pk, [5, 2]), ("sealed_changed", self.rivers.pk, [1])
        self.assert_found(*expected)
        with batches_of(1):
            self.assert_found(*expected)
        self.assert_found(expected[1], no_digests=True)

    def test_the_name_of_the_entry_before(self):
        self.seal()
        self.entries(self.tides, 3).update(previous=b"\x01" + b"0" * 32)
        self.assert_found(("sealed_changed", self.tides.pk, [3]))

    def test_entries_that_are_removed(self):
        self.seal()
        self.entries(self.tides, 3).delete()
        self.entries(self.lakes).delete()
        self.assert_found(("sealed_removed", self.tides.pk, [3]), ("sealed_removed", self.lakes.pk, [1]))

    def test_the_first_and_the_newest(self):
        self.seal()
        self.entries(self.tides, 1).delete()
        self.assert_found(("sealed_removed", self.tides.pk, [1]))
        self.entries(self.tides, 5).delete()
        self.assert_found(("sealed_removed", self.tides.pk, [5]))

    def test_pending_entries_that_are_removed(self):
        with history_outage():
            self.set("tides", 6)
        self.seal()
        PendingHistory.objects.all().delete()
        self.assert_found(("sealed_removed", self.tides.pk, [6]))

    def test_an_erasure_of_fewer_versions_excuses_nothing(self):
        self.seal()
        values = {"digest": self.tides.digest, "entries": 4, "created": self.tides.modified}
        Erasure(student_module_id=self.tides.pk, version=4, **values).save()
        Erasure(student_module_id=self.rivers.pk + 1000, version=9, **values).save()
        self.entries(self.tides).delete()
        self.assert_found(("sealed_removed", self.tides.pk, [5]))

    def test_a_digest_in_the_format_of_a_newer_release(self):
        self.entries(self.rivers).update(digest=b"\x02" + b"0" * 32)
        unguarded(StudentModule, "default").filter(pk=self.rivers.pk).update(digest=b"\x02" + b"0" * 32)
        self.seal()
        self.assert_found(("format", self.rivers.pk, [1]))
        self.assert_unchanged(3, 7, no_digests=True)

    def test_the_lines_of_the_text_output(self):
        self.seal()
        self.entries(self.tides, 3).delete()
        output = io.StringIO()
        with self.assertRaisesRegex(CommandError, "were changed or removed. Compare these rows with a backup"):
            call_command("verify_history", sealed=str(self.path), stdout=output)
        problem, sums, erased = output.getvalue().splitlines()
        self.assertEqual(
            problem,
            f"sealed_removed: row {self.tides.pk}, version 3, ...: not repaired. the entry is missing; "
            "2 sealed entries below cannot be verified",
        )
        self.assertEqual(sums, f"3 rows and 4 entries compared, up to row {self.lakes.pk}: 1 sealed_removed.")
        self.assertRegex(erased, "^Erased since the seal [0-9a-f]{64} of 20.*: 0 rows.$")


class Refused(SealTestCase):
    def assert_refused(self, message, **options):
        report = self.verify(**options)
        self.assertEqual((report.code, report.problems, report.sums), (2, [], {}))
        self.assertRegex(report.error, message)

    def test_a_seal_of_another_installation(self):
        self.seal()
        # Other digests under the same ids, as in a database that was filled in the same way.
        rows = [self.tides, self.rivers, self.lakes]
        for row in rows:
            self.entries(row).update(digest=b"\x01" + row.pk.to_bytes(32), previous=None)
        self.assert_refused("None of the 3 sealed rows .* another installation, or all of them were removed")
        delivered().delete()
        self.assert_refused("another installation")

    def test_one_known_entry_is_enough(self):
        self.seal()
        self.entries(self.tides).delete()
        self.entries(self.rivers).delete()
        found = ("sealed_removed", self.tides.pk, [5]), ("sealed_removed", self.rivers.pk, [1])
        self.assert_found(*found)

    def test_repair(self):
        self.seal()
        self.assert_refused("run it without --sealed", repair=True)

    def test_a_file_that_was_edited(self):
        self.seal()
        text = self.path.read_text()
        self.path.write_text(text.replace(self.rivers.digest.hex(), "01" + "0" * 64))
        self.assert_refused("seal.jsonl was edited: its lines have the seal [0-9a-f]{64}, with 3 rows")
