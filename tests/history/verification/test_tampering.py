"""Tampering by SQL, and the checks that find it. The table in docs/reference/digests.md has the same.

TransactionTestCase, because the statements go past Django and are committed.
"""

import tempfile
from pathlib import Path

from django.db import connections
from django.test import SimpleTestCase, TransactionTestCase

from history.api import change_context, timeline
from history.export import json_lines
from kvstore.api import DjangoXBlockUserStateClient, set_score
from kvstore.models import StudentModule
from kvstore.testing import UserFactory
from kvstore.versioning.digests import digest_of
from tests.history.verification.sealing import seal_into, verify_history
from tests.history.verification.test_verify_export import REFERENCE, run_script
from tests.kvstore.cache.blocks import usage

HISTORY = "student_module_history"
BLOCK = usage("tides")

CHANGE_ENTRY = "UPDATE xblock_history_studentmodulehistory SET {} = %s WHERE student_module_id = %s AND version = %s"
REMOVE_ENTRY = "DELETE FROM xblock_history_studentmodulehistory WHERE student_module_id = %s AND version = %s"
INSERT_ENTRY = "INSERT INTO xblock_history_studentmodulehistory ({}) VALUES ({})"
CHANGE_ROW = "UPDATE xblock_kvstore_studentmodule SET digest = {} WHERE id = %s"
REMOVE_ROW = "DELETE FROM xblock_kvstore_studentmodule WHERE id = %s"

FOUND = {
    "state of an entry": (["altered"], ["sealed_changed"], True),
    "grade of an entry": (["altered"], ["sealed_changed"], True),
    "actor of an entry": (["altered"], ["sealed_changed"], True),
    "reason of an entry": (["altered"], ["sealed_changed"], True),
    "time of an entry": (["altered"], ["sealed_changed"], True),
    "an entry is removed": (["gap"], ["sealed_removed"], True),
    "the newest entry is removed": (["gap"], ["sealed_removed"], False),
    "an entry is inserted": (["phantom"], [], False),
    "an entry `deleted` of an existing row is inserted": (["branch"], [], False),
    "digest of the row": (["phantom", "gap"], [], False),
    "a row and all its entries are removed": ([], ["sealed_removed"], False),
    "all digests of a row are computed again": ([], ["sealed_changed"], False),
}
"""the problems that verify_history and verify_history --sealed report, and whether the script finds it in an export"""


class Tampering(TransactionTestCase):
    databases = {"default", HISTORY}

    def setUp(self):
        self.seal = Path(self.enterContext(tempfile.TemporaryDirectory()), "seal.jsonl")
        self.learner, self.staff = UserFactory(), UserFactory()
        client = DjangoXBlockUserStateClient(self.learner)
        for answer in range(1, 4):
            client.set(self.learner.username, BLOCK, {"answer": answer})
        with change_context(actor=self.staff, reason="regraded"):
            set_score(self.learner.pk, BLOCK, 1, 2)
        client.set(self.learner.username, BLOCK, {"answer": 5})
        client.set(self.learner.username, usage("rivers"), {"answer": 1})
        self.row_id = StudentModule.objects.get(module_state_key=BLOCK).pk
        seal_into(self.seal)

    def execute(self, alias, statement, *parameters):
        with connections[alias].cursor() as cursor:
            cursor.execute(statement, parameters)
            self.assertGreater(cursor.rowcount, 0, statement)

    def change(self, column, value, version=4):
        self.execute(HISTORY, CHANGE_ENTRY.format(column), value, self.row_id, version)

    def remove(self, *versions):
        for version in versions:
            self.execute(HISTORY, REMOVE_ENTRY, self.row_id, version)

    def insert(self, version):
        values = ["%s" if not isinstance(one, bytes) else self.literal(HISTORY, one) for one in version]
        parameters = [one for one in version if not isinstance(one, bytes)]
        self.execute(HISTORY, INSERT_ENTRY.format(", ".join(version._fields), ", ".join(values)), *parameters)

    def change_digest_of_row(self, digest):
        self.execute("default", CHANGE_ROW.format(self.literal("default", digest)), self.row_id)

    def compute_again(self):
        """Change a state, and give every later version and the row the digest that follows from it."""
        versions, previous = self.stored(), None
        self.remove(*versions)
        for number, version in sorted(versions.items()):
            state = '{"answer":0}' if number == 2 else version.state
            made = with_digest(version._replace(state=state, previous=previous))
            self.insert(made)
            previous = made.digest
        self.change_digest_of_row(previous)

    def stored(self):
        """Return the versions as they are stored, by number."""
        return {entry.version: entry.as_version() for entry in timeline(self.learner, BLOCK)}

    def literal(self, alias, value):
        return f"'\\x{value.hex()}'::bytea" if connections[alias].vendor == "postgresql" else f"X'{value.hex()}'"

    def export(self):
        return "".join(json_lines(timeline(self.learner, BLOCK)))

    def assert_found(self, kind, versions=(), line=""):
        """Assert that each check reports the problems in FOUND, with these versions of the row and no other row."""
        kinds, sealed, by_script = FOUND[kind]
        found = verify_history()
        self.assertEqual(found.problems, [(one, self.row_id, [*versions]) for one in kinds])
        self.assertEqual(found.code, 1 if {*kinds} - {"phantom"} else 0)
        by_seal = verify_history(sealed=str(self.seal))
        self.assertEqual(by_seal.problems, [(one, self.row_id, [*versions]) for one in sealed])
        self.assertEqual(by_seal.code, 1 if sealed else 0)
        status, output = run_script(self.export())
        self.assertEqual(status, 1 if by_script else 0, output)
        self.assertIn(line, output)

    def test_the_state_of_an_entry(self):
        self.change("state", '{"answer":0}', version=2)
        self.assert_found("state of an entry", [2], line="version 2 (line 4): the digest is not that of the values")

    def test_the_state_of_the_newest_entry(self):
        self.change("state", '{"answer":0}', version=5)
        self.assert_found("state of an entry", [5], line="version 5 (line 1): the digest is not that of the values")

    def test_the_grade_of_an_entry(self):
        self.change("grade", 2)
        self.assert_found("grade of an entry", [4], line="version 4 (line 2)")

    def test_the_actor_of_an_entry(self):
        self.change("actor_id", self.learner.pk)
        self.assert_found("actor of an entry", [4], line="version 4 (line 2)")

    def test_the_time_of_an_entry(self):
        self.change("created", connections[HISTORY].ops.adapt_datetimefield_value(self.stored()[3].created))
        self.assert_found("time of an entry", [4], line="version 4 (line 2)")

    def test_the_reason_of_an_entry(self):
        self.change("reason", "")
        self.assert_found("reason of an entry", [4], line="version 4 (line 2)")

    def test_an_entry_is_removed(self):
        self.remove(3)
        self.assert_found("an entry is removed", [3], line="version 4 (line 2): version 3, whose digest it names")

    def test_the_newest_entry_is_removed(self):
        """An export has an older version as its newest one; the line of the row in the seal has version 5."""
        self.remove(5)
        self.assert_found("the newest entry is removed", [5], line=f"row {self.row_id}: versions 1 to 4")

    def test_an_entry_is_inserted(self):
        """No digest refers to it, so no reader shows it and no export has it."""
        stored = self.stored()
        self.insert(with_digest(stored[3]._replace(state='{"answer":0}')))
        self.assert_found("an entry is inserted", [3], line="5 entries, 0 wrong")

    def test_an_entry_is_inserted_after_the_newest(self):
        newest = self.stored()[5]
        self.insert(with_digest(newest._replace(version=6, state="{}", previous=newest.digest)))
        self.assert_found("an entry is inserted", [6], line="5 entries, 0 wrong")

    def test_the_deletion_of_a_row_that_exists_is_inserted(self):
        newest = self.stored()[5]
        self.insert(with_digest(newest._replace(version=6, action="deleted", state=None, previous=newest.digest)))
        self.assert_found("an entry `deleted` of an existing row is inserted", [6], line="6 entries, 0 wrong")

    def test_the_digest_of_the_row(self):
        self.change_digest_of_row(b"\x01" * 33)
        self.assert_found("digest of the row", [5], line="versions 1 to 4, digest of the newest")

    def test_a_row_is_removed_from_both_databases(self):
        self.remove(1, 2, 3, 4, 5)
        self.execute("default", REMOVE_ROW, self.row_id)
        kinds, sealed, _by_script = FOUND["a row and all its entries are removed"]
        self.assertEqual(verify_history().problems, kinds)
        by_seal = verify_history(sealed=str(self.seal))
        self.assertEqual((by_seal.code, by_seal.problems), (1, [(sealed[0], self.row_id, [5])]))
        self.assertEqual(self.export(), "")

    def test_every_digest_of_a_row_is_computed_again(self):
        self.compute_again()
        self.assert_found("all digests of a row are computed again", [5], line="5 entries, 0 wrong")


class Documented(SimpleTestCase):
    def test_the_table_of_the_documentation_lists_the_findings(self):
        text = (REFERENCE / "digests.md").read_text(encoding="utf-8")
        table = text.partition("| change by SQL |")[2].partition("\n\n")[0].splitlines()[2:]
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
        expected = {
            kind: [", ".join(f"`{one}`" for one in found) or "-" for found in (kinds, sealed)]
            for kind, (kinds, sealed, _by_script) in FOUND.items()
        }
        self.assertEqual({kind: columns[:2] for kind, *columns in rows}, expected)
        by_script = {kind: columns[2].startswith("yes") for kind, *columns in rows}
        self.assertEqual(by_script, {kind: found[2] for kind, found in FOUND.items()})


def with_digest(version):
    """Return a version with the digest of its values."""
    return version._replace(digest=digest_of(version))
