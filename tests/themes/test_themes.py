"""Runs the tests of pages.py for each theme, in a process of its own: INSTALLED_APPS differ."""

import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from unittest import skipIf, skipUnless

from django.test import SimpleTestCase, tag

from tests.browser import chromium

CHECKOUT = Path(__file__).resolve().parent.parent.parent
PROBLEM = chromium.missing()
WARNINGS = ["-W", "error", "-W", "ignore:'cgi' is deprecated:DeprecationWarning"]


def unless_absent(theme: str):
    return skipUnless(find_spec(theme), f"The package of the theme is absent: pip install django-{theme}.")


@tag("themes")
@skipIf(PROBLEM, PROBLEM)
class Themes(SimpleTestCase):
    def assert_works(self, theme: str) -> None:
        folder = self.enterContext(tempfile.TemporaryDirectory())
        # The process reports its counts to the runner of this process only.
        kept = {name: value for name, value in os.environ.items() if name != "TEST_COUNTS"}
        variables = kept | {
            "DJANGO_SETTINGS_MODULE": "tests.themes.settings",
            "ADMIN_THEME": theme,
            "DATABASE_URL": f"sqlite:///{folder}/default.sqlite3",
            "HISTORY_DATABASE_URL": f"sqlite:///{folder}/history.sqlite3",
        }
        ran = subprocess.run(
            [sys.executable, *WARNINGS, "manage.py", "test", "--noinput", "tests.themes.pages"],
            cwd=CHECKOUT,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.assertEqual(ran.returncode, 0, ran.stdout)
        self.assertRegex(ran.stdout, r"Ran [1-9]\d* tests")

    def test_pages_work_in_the_theme_of_django(self) -> None:
        self.assert_works("django")

    @unless_absent("unfold")
    def test_pages_work_in_unfold(self) -> None:
        self.assert_works("unfold")

    @unless_absent("grappelli")
    def test_pages_work_in_grappelli(self) -> None:
        self.assert_works("grappelli")

    @unless_absent("jazzmin")
    def test_pages_work_in_jazzmin(self) -> None:
        self.assert_works("jazzmin")
