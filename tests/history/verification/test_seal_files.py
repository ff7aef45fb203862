"""Files that are not seals are refused with the line and the reason, before a query."""

import json
import tempfile
from pathlib import Path

from django.test import SimpleTestCase

from history.exceptions import UnusableSeal
from history.verification.seal_files import SealFile
from history.verification.seals import Seal, SealedHead

HEADS = [SealedHead(7, 3, 3, b"\x01" * 33), SealedHead(7, 5, 2, b"\x01" * 33), SealedHead(9, 1, 1, b"\x02" * 33)]


class Files(SimpleTestCase):
    """Files that are not seals. Each is refused with its line and the reason, without a query."""

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

    def test_files_that_are_not_seals(self):
        deep = "[" * 900 + "\n"
        for line in ("{}", "[]", "7", "null", '"\x1b"', "x" * 5000, b"\xff\xfe\x00", b"\x00" * 99, deep, "\n"):
            with self.subTest(line[:20]):
                self.assert_refused("line 1|its first line has no format", [line])
                if not str(line).startswith("{"):
                    self.assert_refused("line 2", self.with_line(1, line))

    def test_files_that_cannot_be_read(self):
        with self.assertRaisesRegex(UnusableSeal, "The seal cannot be read: .*absent"):
            SealFile(str(self.path.with_name("absent")))
        with self.assertRaisesRegex(UnusableSeal, "The seal cannot be read"):
            SealFile(str(self.path.parent))
