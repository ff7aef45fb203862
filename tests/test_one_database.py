"""The history moves into the database of the state with the exact commands of history.E004 and its reference.

In a project of its own, because tables are made and removed, and settings change in between.
"""

import re
import tempfile
from pathlib import Path

from django.test import SimpleTestCase

from tests.projects import Project

CHECKOUT = Path(__file__).resolve().parent.parent
REFERENCE = CHECKOUT / "docs" / "reference" / "checks.md"
HISTORY = "student_module_history"
ONE_DATABASE = "HISTORY_DATABASE_ALIAS = 'default'"


class MovingIntoOneDatabase(SimpleTestCase):
    def setUp(self):
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.project = Project(folder, CHECKOUT)
        self.separate = (folder / "settings.py").read_text(encoding="utf-8")
        for alias in ("default", HISTORY):
            self.manage("migrate", "--verbosity=0", f"--database={alias}")

    def manage(self, *arguments, code=0):
        result = self.project.manage(*arguments)
        self.assertEqual(result.returncode, code, result.stdout)
        return result.stdout

    def check(self, *, code):
        return self.manage("check", "--deploy", "--database=default", "--tag=database", code=code)

    def test_following_the_hint_gives_a_migrated_database(self):
        self.project.add_settings(ONE_DATABASE)
        hint = self.check(code=1).partition("HINT: ")[2].partition("See docs/")[0]
        first, *before, after = re.findall(r"`manage\.py ([^`]+)`", hint)
        self.manage(*first.split())
        self.assertIn("xblock_history_studentmodulehistory does not exist", self.check(code=1))
        self.project.write("settings.py", self.separate)
        for command in before:
            self.manage(*command.split())
        self.project.add_settings(ONE_DATABASE)
        self.manage(*after.split())
        self.check(code=0)

    def test_the_reference_brings_the_entries_along(self):
        self.write(1)
        chapter = REFERENCE.read_text(encoding="utf-8").partition("### Where the history moves into `default`")[2]
        before, after = re.findall(r"```sh\n(.*?)```", chapter.partition("<a id=")[0], re.DOTALL)
        self.run_lines(before)
        self.project.add_settings(ONE_DATABASE)
        self.run_lines(after)
        self.assertEqual(self.write(2), "2 1")
        self.assertIn("nothing wrong", self.manage("verify_history"))

    def run_lines(self, text):
        for line in text.splitlines():
            self.manage(*line.removeprefix("python manage.py ").split())

    def write(self, value):
        """Write one version in the project; return the versions in its timeline."""
        self.project.write(
            "write.py",
            "import sys, django\ndjango.setup()\n"
            "from django.contrib.auth.models import User\nfrom opaque_keys.edx.keys import UsageKey\n"
            "from history.api import timeline\nfrom kvstore.api import DjangoXBlockUserStateClient\n"
            "user, made = User.objects.get_or_create(username='learner')\n"
            "key = UsageKey.from_string('block-v1:Org+Course+Run+type@problem+block@one')\n"
            "DjangoXBlockUserStateClient(user).set('learner', key, {'a': int(sys.argv[1])})\n"
            "print(*[entry.version for entry in timeline(user, key)])\n",
        )
        result = self.project.run("write.py", str(value))
        self.assertEqual(result.returncode, 0, result.stdout)
        return result.stdout.strip()
