"""A seal finds entries that were changed or removed since it was made. Changes by the store are no problem.

TransactionTestCase, because entries are delivered and erased when their transactions commit.
"""

import hashlib
import io
import json
import tempfile
from pathlib import Path
from unittest import mock

from django.core.management import CommandError, call_command
from django.db import connections
from django.test import SimpleTestCase, TransactionTestCase, override_settings
from django.test.utils import CaptureQueriesContext

from history.api import deliver
from history.exceptions import UnusableSeal
from history.models import Erasure, PendingHistory, StudentModuleHistory
from history.reading import scan
from history.reading.scan import delivered
from history.verification.seal_files import SealFile
from history.verification.seals import Seal, SealedHead
from kvstore.api import DjangoXBlockUserStateClient
from kvstore.models import StudentModule
from kvstore.querysets import unguarded
from kvstore.testing import UserFactory
from tests.history.outages import history_outage, rolled_back
from tests.history.verification.sealing import seal_into, verify_history
from tests.kvstore.cache.blocks import usage


class SealTestCase(TransactionTestCase):
    databases = {"default", "student_module_history"}

    def setUp(self):
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.path = folder / "seal.jsonl"
        self.user = UserFactory()
        self.client = DjangoXBlockUserStateClient(self.user)
        for value in range(1, 6):
            self.set("tides", value)
        self.set("rivers", 1)
        self.set("lakes", 1)
        self.set("html", 1, block_type="html")
        self.tides, self.rivers, self.lakes = map(self.row, ("tides", "rivers", "lakes"))

    def set(self, name, value, block_type="problem"):
        self.client.set(self.user.username, usage(name, block_type), {"a": value})

    def row(self, name):
        return StudentModule.objects.get(module_state_key=usage(name))

    def entries(self, row, *versions):
        """Return delivered entries of a row, without the guards against changing them."""
        chosen = delivered().filter(student_module_id=row.pk)
        return chosen.filter(version__in=versions) if versions else chosen

    def seal(self, **options):
        return seal_into(self.path, **options)

    def verify(self, **options):
        return verify_history(sealed=str(self.path), **options)

    def assert_unchanged(self, rows, entries, **options):
        report = self.verify(**options)
        self.assertEqual((report.code, report.problems, report.error), (0, [], ""))
        self.assertEqual((report.sums["rows"], report.sums["entries"]), (rows, entries))
        return report

    def assert_found(self, *problems, **options):
        report = self.verify(**options)
        self.assertEqual((report.code, report.problems), (1, list(problems)))
        self.assertIn(f"The output names {len(problems)} problems", report.error)
        return report


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
        seals = [self.seal()["seal"], self.seal(batch_size=1)["seal"], self.seal(batch_size=2)["seal"]]
        self.assertEqual(len(set(seals)), 1)
        self.set("lakes", 2)
        self.assertNotIn(self.seal()["seal"], seals)

    def test_what_was_rolled_back_is_not_sealed(self):
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
        self.assertEqual((self.seal()["rows"], self.seal(batch_size=1)["rows"]), (4, 4))
        self.assert_unchanged(4, 9)

    def test_an_entry_whose_digest_is_malformed_is_named_and_not_sealed(self):
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
        for options in ({}, {"batch_size": 1}, {"no_digests": True}):
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
        read = scan._delivered_between

        def read_after(*arguments):
            patch.stop()
            change()
            return read(*arguments)

        patch = mock.patch.object(scan, "_delivered_between", read_after)
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


class Tampered(SealTestCase):
    def test_values_and_digests(self):
        self.seal()
        self.entries(self.tides, 2, 5).update(state='{"a":0}')
        self.entries(self.rivers).update(digest=b"\x01" + b"0" * 32)
        expected = ("sealed_changed", self.tides.pk, [5, 2]), ("sealed_changed", self.rivers.pk, [1])
        self.assert_found(*expected)
        self.assert_found(*expected, batch_size=1)
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

    def test_the_lines_for_people(self):
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


HEADS = [SealedHead(7, 3, 3, b"\x01" * 33), SealedHead(7, 5, 2, b"\x01" * 33), SealedHead(9, 1, 1, b"\x02" * 33)]


class Files(SimpleTestCase):
    """Files that are no seals. Each is refused with its line and the reason, before a database is asked."""

    def setUp(self):
        self.path = Path(self.enterContext(tempfile.TemporaryDirectory()), "seal.jsonl")
        seal = Seal("2026-01-31T12:00:00.000000+00:00")
        heads = [seal.add(head) for head in HEADS]
        self.lines = [json.dumps(seal.first_line()) + "\n", *heads, json.dumps(seal.last_line()) + "\n"]

    def opened(self, lines):
        self.path.write_bytes(b"".join(line if isinstance(line, bytes) else line.encode() for line in lines))
        return SealFile(str(self.path))

    def assert_refused(self, message, lines):
        with self.assertRaisesRegex(UnusableSeal, message) as raised:
            self.opened(lines)
        self.assertTrue(str(raised.exception).isprintable())

    def with_line(self, number, line):
        return [*self.lines[:number], line, *self.lines[number + 1 :]]

    def test_a_seal(self):
        file = self.opened(self.lines)
        self.assertEqual([*file.heads()], HEADS)
        self.assertEqual([*file.heads(after=7)], HEADS[2:])
        self.assertEqual((file.seal.rows, file.seal.entries), (2, 6))

    def test_other_ends_of_lines(self):
        """A copy that a mail program or an editor made still has the same values."""
        self.assertEqual([*self.opened(line.replace("\n", "\r\n") for line in self.lines).heads()], HEADS)
        self.assertEqual([*self.opened(["".join(self.lines).rstrip("\n")]).heads()], HEADS)

    def test_a_file_that_is_cut_off(self):
        self.assert_refused("is cut off: its last line, .* Use a copy", self.lines[:-1])
        self.assert_refused("line 3: it is not JSON, or the file is cut off there", [*self.lines[:2], "[7,5,2,"])
        self.assert_refused("line 5: it is not JSON", [*self.lines[:-1], self.lines[-1][:30]])
        self.assert_refused("line 1: it is not JSON", [])

    def test_a_line_that_is_removed_or_added_or_changed(self):
        self.assert_refused("was edited: its lines have the seal [0-9a-f]{64}", self.with_line(1, ""))
        self.assert_refused("was edited", [*self.lines[:4], HEADS[2]._replace(row_id=10).line(), self.lines[4]])
        self.assert_refused("was edited", self.with_line(1, HEADS[0]._replace(entries=2).line()))
        self.assert_refused("line 6: it follows the last line", [*self.lines, "[10,1,1]\n"])

    def test_a_last_line_that_is_changed(self):
        last = json.loads(self.lines[-1])
        for name, value in {"seal": "0" * 64, "rows": 1, "entries": 7, "time": "", "format": 2}.items():
            with self.subTest(name):
                self.assert_refused("was edited", self.with_line(4, json.dumps(last | {name: value}) + "\n"))
        self.assert_refused("was edited", self.with_line(4, "{}"))

    def test_heads_that_are_not_in_order(self):
        for lines in ([self.lines[2], self.lines[1]], [self.lines[1], self.lines[1]]):
            self.assert_refused("line 3: the entry of row 7 is not in order", [self.lines[0], *lines, self.lines[4]])

    def test_a_format_of_another_release(self):
        for number in (2, 0, "1", None, [1]):
            with self.subTest(number):
                line = json.dumps({"format": number, "time": "2030"}) + "\n"
                self.assert_refused("this release reads the format 1", self.with_line(0, line))

    def test_a_malformed_time(self):
        for moment in (None, 5, "", "yesterday", "\x1b[31m" + "0" * 20, "\ud800"):
            with self.subTest(moment):
                line = json.dumps({"format": 1, "time": moment}) + "\n"
                self.assert_refused("line 1: .* is not a time in ISO 8601", self.with_line(0, line))

    def test_a_malformed_digest(self):
        for digest in ("", "01", "01" * 34, "0g" * 33, "A1" * 33, None, 5, "\x1b[31m", "\ud800"):
            with self.subTest(digest):
                line = json.dumps([7, 3, 3, digest]) + "\n"
                self.assert_refused("line 2: the digest .* is not 66 hexadecimal digits", self.with_line(1, line))

    def test_malformed_numbers(self):
        for place in range(3):
            for value in (0, -1, 2**63, True, 1.0, "1", None, []):
                values = [7, 3, 3, "01" * 33]
                values[place] = value
                with self.subTest(values):
                    self.assert_refused("line 2: it is not a list of", self.with_line(1, json.dumps(values) + "\n"))
        line = json.dumps([7, 3, 4, "01" * 33]) + "\n"
        self.assert_refused("line 2: it has 4 entries up to version 3", self.with_line(1, line))

    def test_what_is_no_seal(self):
        deep = "[" * 900 + "\n"
        for line in ("{}", "[]", "7", "null", '"\x1b"', "x" * 5000, b"\xff\xfe\x00", b"\x00" * 99, deep, "\n"):
            with self.subTest(line[:20]):
                self.assert_refused("line 1|its first line has no format", [line])
                if not str(line).startswith("{"):
                    self.assert_refused("line 2", self.with_line(1, line))

    def test_what_cannot_be_read(self):
        with self.assertRaisesRegex(UnusableSeal, "The seal cannot be read: .*absent"):
            SealFile(str(self.path.with_name("absent")))
        with self.assertRaisesRegex(UnusableSeal, "The seal cannot be read"):
            SealFile(str(self.path.parent))
