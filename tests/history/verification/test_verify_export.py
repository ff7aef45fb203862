"""The documented script verifies an export in a Python without the product."""

import csv
import io
import json
import re
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from django.core.management import call_command
from django.test import SimpleTestCase, TestCase
from django.urls import reverse

from history.export import csv_lines, json_lines
from kvstore.api import DjangoXBlockUserStateClient, set_score
from kvstore.models import StudentModule
from kvstore.signals import StateVersion
from kvstore.testing import UserFactory
from kvstore.versioning.digests import digest_of, encoded
from tests.history.entries import BLOCK, entry, sealed, store_chain
from tests.history.hostile import STATES, UNSTORABLE
from tests.kvstore.cache.blocks import usage

REFERENCE = Path(__file__).resolve().parents[3] / "docs" / "reference"
SCRIPT = REFERENCE / "verify_export.py"
UNCHANGED, WRONG, UNCHECKED = 0, 1, 2
NOT_COVERED = {"branch", "pending"}


def run_script(text, *, by_name=True):
    """Run the script with an export, and return its exit status and all that it printed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "export.jsonl")
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        with path.open("rb") as file:
            done = subprocess.run(
                [sys.executable, "-I", str(SCRIPT), *([str(path)] if by_name else [])],
                stdin=file,
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )
    return done.returncode, done.stdout + done.stderr


def chain(states, **columns):
    """Return entries of one row, newest first, the first with the last of ``states``."""
    previous, entries = None, []
    for version, state in enumerate(states, 1):
        entries.append(sealed(entry(version, state, **columns), previous))
        previous = entries[-1].digest
    return entries[::-1]


class ScriptTestCase(SimpleTestCase):
    def assert_script(self, status, message, text, **options):
        found, output = run_script(text, **options)
        self.assertEqual(found, status, output)
        self.assertIn(message, output)
        self.assertNotIn("Traceback", output)
        self.assertTrue(output.isascii())


class Script(ScriptTestCase):
    def test_it_is_short_and_needs_the_standard_library_alone(self):
        text = SCRIPT.read_text(encoding="utf-8")
        self.assertLessEqual(len(text.splitlines()), 100)
        imported = set(re.findall(r"^(?:import|from) (\w+)", text, re.MULTILINE))
        self.assertEqual(imported, {"hashlib", "json", "sys", "zipfile", "zlib", "datetime"})

    def test_every_number_and_every_state(self):
        states = [*(STATES | UNSTORABLE).values()]
        grades = [None, 0, -0.0, 1, 0.1, 1 / 3, 1e-5, 1e-7, 1e15, 1e16, 1e22, 1e308, 5e-324, -2.5, float("nan")]
        grades += [float("inf"), float("-inf")]
        exported = []
        for place, grade in enumerate(grades):
            exported += json_lines(chain([states[place]], student_module_id=place + 1, grade=grade, max_grade=grade))
        self.assert_script(UNCHANGED, f"{len(grades)} entries, 0 wrong", "".join(exported))
        times = [datetime(1969, 12, 31, 23, 59, 59, 999999, UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, UTC)]
        extremes = {"actor_id": 2**63 - 1, "source_id": -(2**63), "source_version": 0, "transaction_id": -1}
        exported = [
            line
            for place, created in enumerate(times, 1)
            for line in json_lines(chain([None], student_module_id=place, created=created, **extremes))
        ]
        self.assert_script(UNCHANGED, "2 entries, 0 wrong", "".join(exported))

    def test_any_order_several_rows_and_standard_input(self):
        lines = [*json_lines(chain(["{}", None, "{}"])), *json_lines(chain(["{}"], student_module_id=8, student_id=6))]
        for text in (lines, lines[::-1], lines[1:] + lines[:1], lines + lines):
            self.assert_script(UNCHANGED, "row 7: versions 1 to 3, digest of the newest 01", "".join(text))
            self.assert_script(UNCHANGED, "row 8: versions 1 to 1, digest of the newest 01", "".join(text))
        self.assert_script(UNCHANGED, "4 entries, 0 wrong", "".join(lines), by_name=False)
        self.assert_script(UNCHANGED, "4 entries, 0 wrong", "".join(lines).rstrip("\n"))

    def test_a_branch(self):
        newest, second, first = chain(["{}", '{"a":1}', '{"a":2}'])
        branch = sealed(entry(2, '{"b":1}'), first.digest)
        end = sealed(entry(3, None, action="deleted"), branch.digest)
        text = "".join(json_lines([newest, end, second, branch, first]))
        self.assert_script(UNCHANGED, "5 entries, 0 wrong", text)

    def test_one_id_of_two_learners(self):
        entries = [*chain(["{}"] * 3)[:2], *chain(["{}"], student_id=6)]
        self.assert_script(UNCHANGED, "3 entries, 0 wrong", "".join(json_lines(entries)))

    def test_older_versions_that_are_not_in_the_file_are_named_as_unchecked(self):
        lines = [*json_lines(chain(["{}"] * 5))]
        self.assert_script(UNCHANGED, "versions before 3 are not in the file: not checked", "".join(lines[:3]))


class Tampered(ScriptTestCase):
    def setUp(self):
        self.lines = [*json_lines(chain(["{}", '{"a":1}', '{"a":2}', '{"a":3}'], grade=0.5, max_grade=1.0))]

    def changed(self, number, **values):
        lines = [*self.lines]
        lines[number] = json.dumps(json.loads(lines[number]) | values) + "\n"
        return "".join(lines)

    def test_each_value_of_an_entry(self):
        values = json.loads(self.lines[1])
        for name in values.keys() - NOT_COVERED:
            other = {str: "2020-01-01T00:00:00.000000+00:00", int: 99, float: 0.75, type(None): 9}[type(values[name])]
            status = UNCHECKED if name == "digest" else WRONG
            if name == "digest":
                # Of another entry: then the version after it names one that is not there.
                other, status = json.loads(self.lines[0])["digest"], WRONG
            with self.subTest(name):
                self.assert_script(status, "row ", self.changed(1, **{name: other}))
        for name in NOT_COVERED:
            self.assert_script(UNCHANGED, "4 entries, 0 wrong", self.changed(1, **{name: True}))

    def test_the_first_wrong_version_is_named(self):
        text = self.changed(1, grade=1.0)
        self.assert_script(WRONG, "4 entries, 1 wrong; the first: row 7, version 3 (line 2): the digest is not", text)
        text = self.changed(2, previous=None)
        self.assert_script(WRONG, "4 entries, 2 wrong; the first: row 7, version 2 (line 3): the digest is not", text)

    def test_a_value_that_is_changed_and_its_digest_computed_again(self):
        newest, _older = chain(["{}", '{"a":1}'])
        forged = sealed(entry(1, '{"a":0}'))
        named = "row 7, version 2 (line 1): version 1, whose digest it names, was changed or is missing"
        self.assert_script(WRONG, named, "".join(json_lines([newest, forged])))

    def test_computing_all_digests_of_a_row_again_changes_the_newest_digest(self):
        """Only the digest of the newest version, kept elsewhere, finds this."""
        genuine, forged = chain(["{}", '{"a":1}']), chain(["{}", '{"a":0}'])
        for entries in (genuine, forged):
            newest = f"digest of the newest {entries[0].digest.hex()}"
            self.assert_script(UNCHANGED, newest, "".join(json_lines(entries)))
        self.assertNotEqual(genuine[0].digest, forged[0].digest)

    def test_lines_that_are_removed(self):
        for number in (1, 2):
            text = "".join(self.lines[:number] + self.lines[number + 1 :])
            named = f"row 7, version {5 - number} (line {number}): version {4 - number}, whose digest it names"
            self.assert_script(WRONG, named, text)
        self.assert_script(UNCHANGED, "versions before 2 are not in the file", "".join(self.lines[:3]))
        # Only its digest, kept elsewhere, proves that there was a newer version.
        self.assert_script(UNCHANGED, "versions 1 to 3, digest of the newest", "".join(self.lines[1:]))

    def test_the_id_of_the_row_of_version_1(self):
        self.assert_script(WRONG, "version 2 (line 3): version 1, whose digest", self.changed(3, student_module_id=8))

    def test_a_file_that_is_cut_off(self):
        text = "".join(self.lines)
        for end in (len(text) - 2, len(text) - len(self.lines[-1]) // 2, len(self.lines[0]) // 2):
            self.assert_script(UNCHECKED, "cannot be checked", text[:end])
        self.assert_script(UNCHECKED, "0 entries", "")

    def test_files_that_are_not_an_export(self):
        for text in (
            *("{}\n", "[]\n", "7\n", "null\n", '"\x1b[31m"\n', "{\n", "\n", "a,b\n", b"\xff\xfe\x00", b"\x00" * 10),
            *("[" * 100_000 + "\n", '{"version": ' + "9" * 5000 + "}\n", "".join(csv_lines([]))),
            *(self.changed(1, version="3"), self.changed(1, digest=None), self.changed(1, digest=["01"])),
            *(self.changed(1, course=[]), self.changed(1, created="yesterday"), self.changed(1, state=7)),
            *(self.changed(1, grade="\x1b[31m"), self.changed(1, grade=10**400), self.changed(1, version=None)),
        ):
            with self.subTest(text[:60]):
                self.assert_script(UNCHECKED, "cannot be checked", text)
        done = subprocess.run(
            [sys.executable, "-I", str(SCRIPT), "absent"], capture_output=True, text=True, check=False, timeout=60
        )
        self.assertEqual((done.returncode, "No such file" in done.stderr), (UNCHECKED, True))

    def test_a_digest_of_another_format(self):
        for digest in ("02" + "0" * 64, "", "no digest", "\x1b[31m"):
            with self.subTest(digest):
                self.assert_script(UNCHECKED, "or of another format than 01", self.changed(1, digest=digest))
                self.assert_script(UNCHECKED, "row 7, version 3 (line 2)", self.changed(1, digest=digest))


class Exported(ScriptTestCase, TestCase):
    """Exports of stored entries pass; everything rolls back on both aliases."""

    databases = {"default", "student_module_history"}

    def test_the_export_of_a_timeline_with_every_hostile_state(self):
        learner = UserFactory()
        states = [*STATES.values(), None]
        columns = {"student_id": learner.pk, "grade": 1 / 3, "max_grade": 1e22, "reason": "\u202e潮\x1b"}
        store_chain(
            entry(version, state, **columns, action="deleted" if version == len(states) else "changed")
            for version, state in enumerate(states, 1)
        )
        self.client.force_login(UserFactory(is_staff=True, is_superuser=True))
        url = reverse("admin:xblock_history_timeline_export", args=[7])
        text = b"".join(self.client.get(url).streaming_content)
        self.assertEqual(text.count(b"\n"), len(states))
        self.assert_script(UNCHANGED, f"{len(states)} entries, 0 wrong", text)
        text = self.printed(f"id:{learner.pk}", BLOCK)
        self.assert_script(UNCHANGED, f"{len(states)} entries, 0 wrong", text)

    def test_entries_of_the_store_have_their_digests_in_json_and_csv(self):
        learner = UserFactory()
        for answer in ("a", "é", "\U0001f30a"):
            DjangoXBlockUserStateClient(learner).set(learner.username, usage("tides"), {"answer": answer})
        set_score(learner.pk, usage("tides"), 1, 3)
        digest = StudentModule.objects.get().digest.hex()
        text = self.printed(learner.username, usage("tides"))
        newest, second, *_older = map(json.loads, text.splitlines())
        self.assertEqual((newest["digest"], newest["previous"]), (digest, second["digest"]))
        self.assert_script(UNCHANGED, f"versions 1 to 4, digest of the newest {digest}", text)
        self.client.force_login(UserFactory(is_staff=True, is_superuser=True))
        url = reverse("admin:xblock_history_timeline_export", args=[newest["student_module_id"]])
        sheet = b"".join(self.client.get(url, {"format": "csv"}).streaming_content).decode("utf-8-sig")
        rows = [*csv.DictReader(io.StringIO(sheet, newline=""))]
        self.assertEqual([row["digest"] for row in rows][:2], [digest, second["digest"]])
        self.assertEqual((rows[0]["previous"], rows[-1]["previous"]), (second["digest"], ""))

    def printed(self, learner, block):
        output = io.StringIO()
        call_command("learner_history", learner, str(block), json=True, limit=0, stdout=output)
        return output.getvalue()


class Documented(ScriptTestCase):
    """The example of docs/reference/digests.md has the bytes and the digests that the product computes."""

    def setUp(self):
        text = (REFERENCE / "digests.md").read_text(encoding="utf-8")
        self.lines = re.search(r"```jsonl\n(.*?)```", text, re.DOTALL)[1]
        self.covered = re.findall(r"```json\n(.*?)\n```", text, re.DOTALL)
        self.digests = re.findall(r"^    (01[0-9a-f]{64})$", text, re.MULTILINE)

    def test_the_bytes_and_the_digests(self):
        entries = [*map(json.loads, self.lines.splitlines())]
        self.assertEqual([len(entries), len(self.covered), len(self.digests)], [2, 2, 2])
        for values, covered, digest in zip(entries, self.covered, self.digests, strict=True):
            version = version_of(values)
            self.assertEqual(encoded(version).decode(), covered)
            self.assertEqual(digest_of(version).hex(), digest)
            self.assertEqual(values["digest"], digest)

    def test_the_script_verifies_the_lines(self):
        self.assert_script(UNCHANGED, f"digest of the newest {self.digests[1]}", self.lines)


def version_of(values):
    """Return the version that a line of an export is of."""
    names = {
        "student_id": "learner_id",
        "course_id": "course",
        "module_state_key": "block",
        "module_type": "block_type",
    }
    found = {name: values[names.get(name, name)] for name in StateVersion._fields}
    found["created"] = datetime.fromisoformat(found["created"])
    for name in ("previous", "digest"):
        found[name] = found[name] and bytes.fromhex(found[name])
    return StateVersion(**found)
