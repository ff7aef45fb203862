"""The release script refuses a release that is not complete."""

import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import mock

from django.test import SimpleTestCase

import release
from release import NotReleasable, check_repository, checked_version, git

VERSION = checked_version((release.ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), is_upload=False)


class Version(SimpleTestCase):
    def test_a_changelog_of_another_version_is_refused(self):
        for changelog in ("# Changes\n\n## 99.0.0 (2026-01-31)\n", f"## {VERSION}\n", f"## {VERSION} (soon)\n", ""):
            with self.subTest(changelog=changelog), self.assertRaisesMessage(NotReleasable, f"VERSION {VERSION}"):
                checked_version(changelog, is_upload=False)

    def test_the_first_heading_counts(self):
        self.assertEqual(checked_version(f"## {VERSION} (unreleased)\n## 0.0.1 (2026-01-31)", is_upload=False), VERSION)

    def test_an_upload_needs_a_date(self):
        with self.assertRaisesMessage(NotReleasable, "by today's date"):
            checked_version(f"## {VERSION} (unreleased)", is_upload=True)
        self.assertEqual(checked_version(f"## {VERSION} (2026-01-31)", is_upload=True), VERSION)


class Repository(SimpleTestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        git(self.folder, "init", "--quiet")
        self.commit("one")

    def commit(self, name):
        (self.folder / name).write_text(name, encoding="utf-8")
        git(self.folder, "add", name)
        author = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
        git(self.folder, *author, "commit", "--quiet", "--no-gpg-sign", "--message", name)

    def test_a_clean_tree_without_the_tag_is_accepted(self):
        for is_upload in (False, True):
            check_repository(self.folder, "v1.0.0", is_upload=is_upload)

    def test_files_that_are_not_committed_are_named(self):
        (self.folder / "two").touch()
        with self.assertRaisesMessage(NotReleasable, "?? two"):
            check_repository(self.folder, "v1.0.0", is_upload=False)

    def test_a_tag_of_this_commit_prevents_the_upload_only(self):
        git(self.folder, "tag", "v1.0.0")
        check_repository(self.folder, "v1.0.0", is_upload=False)
        with self.assertRaisesMessage(NotReleasable, "The tag v1.0.0 exists"):
            check_repository(self.folder, "v1.0.0", is_upload=True)

    def test_a_tag_of_another_commit_is_refused(self):
        git(self.folder, "tag", "v1.0.0")
        self.commit("two")
        with self.assertRaisesMessage(NotReleasable, "The tag v1.0.0 exists"):
            check_repository(self.folder, "v1.0.0", is_upload=False)


class Upload(SimpleTestCase):
    def test_ci_cannot_upload(self):
        with mock.patch.dict("os.environ", {"CI": "true"}), self.assertRaisesMessage(NotReleasable, "CI must not"):
            release.main(["--upload"])

    def test_a_failed_program_ends_the_script(self):
        with self.assertRaisesMessage(NotReleasable, "exit code 3"):
            release.run(sys.executable, "-c", "raise SystemExit(3)")
        with self.assertRaises(subprocess.CalledProcessError):
            git(Path(tempfile.gettempdir()), "no-such-command")
