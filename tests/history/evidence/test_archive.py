"""The ZIP file of an export contains every version, states what is missing, and verifies without the product.

Everything rolls back on both aliases.
"""

import hashlib
import io
import json
import zipfile
from unittest import mock

from django.test import TestCase, override_settings
from django.utils import translation

from history.api import change_context, export_evidence, timeline
from history.evidence import archive
from history.exceptions import HistoryUnavailable
from history.export import json_lines
from history.models import StudentModuleHistory
from kvstore.api import DjangoXBlockUserStateClient, set_score
from kvstore.models import StudentModule
from kvstore.querysets import unguarded
from kvstore.testing import UserFactory, assert_queries
from tests.history.hostile import STATES
from tests.history.outages import alias_missing
from tests.history.verification.test_verify_export import UNCHANGED, UNCHECKED, WRONG, run_script
from tests.kvstore.cache.blocks import usage

BLOCK = usage("tides")
HISTORY = "student_module_history"
NAMES = ["versions.jsonl", "current_state.json", "index.html", "manifest.json"]


def pending():
    """Leave the entries of writes inside pending."""
    return mock.patch("history.recording.receivers.try_entries", return_value=False)


def answer_of_tides(usage_key, fields):
    """Return an answer in words, for the tests of the setting."""
    return {"in-line": "Around new and full moon <b>"}.get(fields.get("answer"))


class EvidenceTestCase(TestCase):
    databases = {"default", HISTORY}

    @classmethod
    def setUpTestData(cls):
        cls.learner = UserFactory(username="amara")
        cls.staff = UserFactory(username="staff")

    def set(self, **fields):
        DjangoXBlockUserStateClient(self.learner).set("amara", BLOCK, fields)
        return StudentModule.objects.get(student=self.learner, module_state_key=BLOCK)

    def export(self, **options):
        """Return the manifest and the files of an export; ``self.file`` contains its bytes."""
        target = io.BytesIO()
        self.returned = export_evidence(self.learner, BLOCK, target, **options)
        self.file = target.getvalue()
        with zipfile.ZipFile(target) as found:
            self.assertEqual(found.namelist(), NAMES)
            self.assertIsNone(found.testzip())
            files = {name: found.read(name) for name in NAMES}
        return json.loads(files["manifest.json"]), files

    def page(self, **options):
        return self.export(**options)[1]["index.html"].decode()

    def assert_script(self, status, message):
        found, output = run_script(self.file)
        self.assertEqual(found, status, output)
        self.assertIn(message, output)


class Contents(EvidenceTestCase):
    def test_every_version_exactly_and_the_present_row(self):
        self.set(answer="a\ud800")
        with pending():
            row = self.set(answer="b")
        manifest, files = self.export(exported_by=self.staff)
        self.assertEqual(files["versions.jsonl"].decode(), "".join(json_lines(timeline(self.learner, BLOCK))))
        state = json.loads(files["current_state.json"])
        # Every column, and the size and the hash of the state.
        self.assertEqual(len(state), len(StudentModule._meta.fields) + 2)
        self.assertEqual((state["state"], state["digest"]), (row.state, row.digest.hex()))
        expected = {"student_module_id": row.pk, "version": 2, "digest": row.digest.hex()}
        self.assertEqual(manifest["row"], expected)
        self.assertEqual({name: state[name] for name in expected}, expected)
        self.assertEqual(manifest["learner"], {"id": self.learner.pk, "name": "amara"})
        self.assertEqual(manifest["exported_by"], {"id": self.staff.pk, "name": "staff"})
        self.assertTrue(manifest["product"].startswith("django-student-module-store "))

    def test_the_manifest_has_the_size_and_the_digest_of_each_file(self):
        self.set(answer="a")
        manifest, files = self.export()
        self.assertEqual(set(manifest["files"]), set(NAMES) - {"manifest.json"})
        for name, stated in manifest["files"].items():
            found = {"size": len(files[name]), "sha256": hashlib.sha256(files[name]).hexdigest()}
            self.assertEqual(stated, found)
        self.assertEqual(self.returned["sha256"], hashlib.sha256(files["manifest.json"]).hexdigest())

    def test_the_page_names_who_changed_which_field_when_and_why(self):
        self.set(answer="a", attempts=2)
        with change_context(actor=self.staff, reason="nightly <regrade>", request_id="r-17"):
            self.set(answer="b")
            set_score(self.learner.pk, BLOCK, 2, 2)
            set_score(self.learner.pk, BLOCK, 1, 2)
        newest, *_others = timeline(self.learner, BLOCK)
        page = self.page()
        for text in (
            *("amara", str(BLOCK), str(BLOCK.course_key), "staff", "nightly &lt;regrade&gt;", "r-17", "answer"),
            *("&quot;a&quot;", "&quot;b&quot;", "<del>2 / 2</del> → 1 / 2", "grade decreased", newest.digest.hex()),
            f"{newest.created:%Y-%m-%d %H:%M:%S} UTC",
            "The history has 4 versions. None is missing, and all digests are correct.",
        ):
            self.assertIn(text, page)
        self.assertLess(page.index("Version 4 of row"), page.index("Version 1 of row"))

    def test_the_page_needs_no_other_file_and_runs_no_script(self):
        self.set(answer="a")
        page = self.page()
        for text in ("<script", "src=", "href=", "@import", "url("):
            self.assertNotIn(text, page)
        self.assertIn("@media print", page)

    def test_the_page_is_in_the_current_language(self):
        self.set(answer="a")
        self.assertIn('<html lang="en" dir="ltr">', self.page())
        with translation.override("ar"):
            self.assertIn('<html lang="ar" dir="rtl">', self.page())

    @override_settings(HISTORY_ANSWER_FORMATTERS={"problem": f"{__name__}.answer_of_tides"})
    def test_the_answer_in_words(self):
        self.set(answer="in-line")
        self.set(answer="lost")
        page = self.page()
        self.assertIn("<del><bdi>Around new and full moon &lt;b&gt;</bdi></del> → <bdi>\u2013</bdi>", page)

    def test_every_hostile_state(self):
        self.set(answer="a")
        for name, state in STATES.items():
            unguarded(StudentModuleHistory, HISTORY).update(state=state)
            unguarded(StudentModule, "default").update(state=state)
            with self.subTest(name):
                _manifest, files = self.export()
                page = files["index.html"].decode()
                self.assertNotIn("<script", page)
                self.assertNotIn("<img", page)
                self.assertLess(len(page), 100_000)
                self.assertEqual(json.loads(files["versions.jsonl"])["state"], state)
                self.assertEqual(json.loads(files["current_state.json"])["state"], state)

    def test_large_states_are_not_compared(self):
        self.set(long="x" * 300_000)
        self.set(long="y" * 300_000)
        _manifest, files = self.export()
        self.assertEqual(files["index.html"].count(b"too large to compare here"), 2)
        self.assertEqual([len(line) > 300_000 for line in files["versions.jsonl"].splitlines()], [True, True])


class Completeness(EvidenceTestCase):
    def test_missing_versions_are_listed(self):
        for number in range(7):
            row = self.set(answer=number)
        lost = unguarded(StudentModuleHistory, HISTORY).filter(version__in=(1, 3, 4, 7))
        lost._raw_delete(HISTORY)
        manifest, files = self.export()
        versions = manifest["versions"]
        self.assertEqual((versions["complete"], versions["missing"], versions["entries"]), (False, 3, 3))
        (found,) = versions["rows"]
        self.assertEqual((found["newest"], found["oldest"], found["gaps"]), (7, 2, [[7, 7], [3, 4]]))
        page = files["index.html"].decode()
        for text in (
            "is not complete",
            f"Version 7 of row {row.pk} has no entry.",
            f"Versions 3 to 4 of row {row.pk} have no entry.",
            f"The versions of row {row.pk} before version 2 were not recorded or are lost.",
        ):
            self.assertIn(text, page)
        self.assert_script(WRONG, "was changed or is missing")

    def test_pending_versions_are_marked(self):
        self.set(answer="a")
        with pending():
            self.set(answer="b")
        manifest, files = self.export()
        self.assertEqual((manifest["versions"]["pending"], manifest["versions"]["complete"]), (1, True))
        self.assertIn(b"1 version is pending", files["index.html"])
        self.assertEqual(files["index.html"].count(b"Pending: not yet in the history database."), 1)
        self.assert_script(UNCHANGED, "2 entries, 0 wrong")

    def test_altered_versions_are_marked(self):
        self.set(answer="a")
        self.set(answer="b")
        unguarded(StudentModuleHistory, HISTORY).filter(version=1).update(reason="forged")
        manifest, files = self.export()
        self.assertEqual((manifest["versions"]["altered"], manifest["versions"]["complete"]), (1, False))
        self.assertEqual(files["index.html"].count(b"Altered after it was written"), 1)
        self.assert_script(WRONG, "version 1 (line 2): the digest is not that of the values")

    def test_a_row_that_was_deleted_and_one_that_followed_it(self):
        gone = self.set(answer=1)
        gone_id = gone.pk
        gone.delete()
        manifest, files = self.export()
        self.assertIsNone(manifest["row"])
        self.assertEqual(json.loads(files["current_state.json"]), {"row": None})
        self.assertIn(b"The row does not exist", files["index.html"])
        self.assert_script(UNCHANGED, "2 entries, 0 wrong")
        row = self.set(answer=2)
        manifest, _files = self.export()
        rows = manifest["versions"]["rows"]
        self.assertEqual([(one["student_module_id"], one["found"]) for one in rows], [(row.pk, 1), (gone_id, 2)])
        self.assertTrue(manifest["versions"]["complete"])
        self.assert_script(UNCHANGED, "3 entries, 0 wrong")

    def test_a_learner_without_any_version(self):
        manifest, files = self.export()
        self.assertEqual((manifest["versions"]["entries"], manifest["versions"]["complete"]), (0, False))
        self.assertIn(b"The history contains no version.", files["index.html"])
        self.assert_script(UNCHANGED, "0 entries, 0 wrong")

    def test_a_row_without_an_entry(self):
        with override_settings(HISTORY_BLOCK_TYPES=()):
            row = self.set(answer=1)
            manifest, files = self.export()
        self.assertEqual((manifest["versions"]["complete"], manifest["row"]["version"]), (False, 1))
        self.assertIn(f"No version of row {row.pk} has an entry.".encode(), files["index.html"])
        self.assertIn(b"are not recorded now", files["index.html"])
        self.assert_script(WRONG, "the entry of the present version 1 is missing")

    def test_a_version_that_commits_during_the_export_is_left_out(self):
        self.set(answer="a")
        read = archive.timeline_of

        def after_a_write(*arguments, **options):
            self.set(answer="b")
            return read(*arguments, **options)

        with mock.patch.object(archive, "timeline_of", after_a_write):
            manifest, files = self.export()
        self.assertEqual((manifest["versions"]["entries"], manifest["row"]["version"]), (1, 1))
        self.assertEqual(json.loads(files["current_state.json"])["state"], '{"answer":"a"}')
        self.assert_script(UNCHANGED, "1 entries, 0 wrong")


class Cost(EvidenceTestCase):
    def test_queries_of_a_row(self):
        with change_context(actor=self.staff):
            self.set(answer="a")
        # The row, the pending entries, the names of the export's head and of the versions.
        with assert_queries(default=4, student_module_history=1):
            self.export(exported_by=self.staff)
        for number in range(59):
            self.set(answer=number)
        # Sixty versions in pages of twenty: three pages, and three times the names of their users.
        with assert_queries(default=6, student_module_history=3):
            manifest, _files = self.export(exported_by=self.staff)
        self.assertEqual(manifest["versions"]["entries"], 60)

    def test_files_larger_than_the_memory_for_them(self):
        for number in range(5):
            self.set(answer=str(number) * 500)
        with mock.patch.object(archive, "IN_MEMORY", 100), mock.patch.object(archive, "PAGE_SIZE", 2):
            manifest, files = self.export()
        self.assertEqual(manifest["versions"]["entries"], 5)
        self.assertEqual(files["index.html"].count(b'<section class="version">'), 5)

    def test_an_outage_is_raised(self):
        self.set(answer="a")
        with alias_missing(), self.assertRaises(HistoryUnavailable):
            self.export()


class Verified(EvidenceTestCase):
    """The documented script, on files that were changed after the export."""

    def setUp(self):
        self.set(answer="a")
        self.set(answer="b")
        self.manifest, self.files = self.export()

    def pack(self, *more, **changes):
        """Build the ZIP file again, with other content of some files."""
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w") as changed:
            for name, content in [*(self.files | changes).items(), *more]:
                if content is not None:
                    changed.writestr(name, content)
        self.file = target.getvalue()

    def test_an_unchanged_export(self):
        self.assert_script(UNCHANGED, f"manifest.json: SHA-256 {self.returned['sha256']}")
        self.assert_script(UNCHANGED, "3 files, 0 wrong")
        self.assert_script(UNCHANGED, f"digest of the newest {self.manifest['row']['digest']}")

    def test_each_changed_or_missing_file(self):
        changes = {
            "versions.jsonl": (b'"action": "created"', b'"action": "changed"'),
            "current_state.json": (b'"version": 2', b'"version": 3'),
            "index.html": (b"amara", b"bo"),
        }
        self.assertEqual(changes.keys(), self.manifest["files"].keys())
        for name, change in changes.items():
            with self.subTest(name):
                self.pack(**{name: self.files[name].replace(*change)})
                self.assert_script(WRONG, f"3 files, 1 wrong; '{name}'")
        for name in ("index.html", "current_state.json"):
            with self.subTest(missing=name):
                self.pack(**{name: None})
                self.assert_script(WRONG, f"3 files, 1 wrong; '{name}'")

    def test_a_file_that_is_added(self):
        self.pack(("more.html", b"<p>"))
        self.assert_script(WRONG, "3 files, 1 wrong; 'more.html'")

    def test_a_newest_version_that_is_removed_with_a_new_manifest(self):
        _newest, older = self.files["versions.jsonl"].splitlines(keepends=True)
        stated = json.loads(self.files["manifest.json"])
        stated["files"]["versions.jsonl"]["sha256"] = hashlib.sha256(older).hexdigest()
        self.pack(**{"versions.jsonl": older, "manifest.json": json.dumps(stated).encode()})
        self.assert_script(WRONG, "the entry of the present version 2 is missing")

    def test_files_that_cannot_be_checked(self):
        self.pack(**{"manifest.json": None})
        self.assert_script(UNCHECKED, "cannot be checked")
        self.pack(**{"manifest.json": b"[]"})
        self.assert_script(UNCHECKED, "cannot be checked")
        self.pack(**{"versions.jsonl": None})
        self.assert_script(UNCHECKED, "cannot be checked")
        self.export()
        self.file = self.file[: len(self.file) // 2]
        self.assert_script(UNCHECKED, "cannot be checked")
