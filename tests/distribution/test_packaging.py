"""The wheel contains history, kvstore and routers only, and works in another project."""

import email
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from django.test import SimpleTestCase

from tests.projects import Project

CHECKOUT = Path(__file__).resolve().parents[2]
# Files that git ignores, and files of earlier builds.
LEFT_OUT = shutil.ignore_patterns(".*", "var", "build", "dist", "*.egg-info", "__pycache__", "docs")
LINK = re.compile(r"(!?)\[[^\]]*\]\(([^)\s]+)\)")
REPOSITORY = "https://github.com/django-student-module-store/django-student-module-store"
ALIASES = ("default", "student_module_history")


def run(*args, cwd):
    """Run this Python with these arguments; raise an error with its output if it fails."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, *args], cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    if done.returncode:
        raise AssertionError(done.stdout + done.stderr)


class Wheel(SimpleTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        source = cls.folder / "source"
        # A copy, because a build leaves folders behind in its source.
        shutil.copytree(CHECKOUT, source, ignore=LEFT_OUT)
        run("-m", "build", "--wheel", "--no-isolation", "--outdir", str(cls.folder), str(source), cwd=cls.folder)
        (cls.wheel,) = cls.folder.glob("*.whl")
        cls.site = cls.folder / "site"
        run(
            "-m", "pip", "install", "--no-deps", "--no-index", "--target", str(cls.site), str(cls.wheel), cwd=cls.folder
        )

    def setUp(self):
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        # The site precedes the installed packages on the path; the checkout is not on the path.
        self.project = Project(folder / "project", self.site)

    def names(self):
        with zipfile.ZipFile(self.wheel) as archive:
            return archive.namelist()

    def metadata(self):
        (path,) = (name for name in self.names() if name.endswith(".dist-info/METADATA"))
        with zipfile.ZipFile(self.wheel) as archive:
            return email.message_from_bytes(archive.read(path))

    def assert_runs(self, *args):
        result = self.project.manage(*args)
        self.assertEqual(result.returncode, 0, result.stdout)
        return result.stdout


class Contents(Wheel):
    def test_its_top_level_names_are_these_three(self):
        tops = {name.partition("/")[0] for name in self.names()}
        self.assertEqual({top for top in tops if not top.endswith(".dist-info")}, {"history", "kvstore", "routers.py"})
        (path,) = (name for name in self.names() if name.endswith("top_level.txt"))
        with zipfile.ZipFile(self.wheel) as archive:
            self.assertEqual(archive.read(path).decode().split(), ["history", "kvstore", "routers"])

    def test_every_module_migration_and_type_marker_is_in_it_and_nothing_else(self):
        kept = {name for name in self.names() if ".dist-info/" not in name}
        files = {CHECKOUT / "routers.py"}
        for package in ("history", "kvstore"):
            files |= {file for file in (CHECKOUT / package).rglob("*") if file.is_file() and file.suffix != ".pyc"}
        self.assertEqual(kept, {file.relative_to(CHECKOUT).as_posix() for file in files})
        for name in ("py.typed", "migrations/0001_initial.py", "migrations/__init__.py"):
            self.assertLessEqual({f"history/{name}", f"kvstore/{name}"}, kept)

    def test_its_metadata(self):
        metadata = self.metadata()
        self.assertEqual(metadata["Name"], "django-student-module-store")
        self.assertEqual(metadata["Requires-Python"], ">=3.11")
        self.assertEqual(metadata["License-Expression"], "Apache-2.0")
        self.assertTrue([name for name in self.names() if name.endswith("LICENSE")])
        self.assertEqual(metadata["Author"], "The django-student-module-store project")
        addresses = [metadata["Home-page"], *(url.partition(", ")[2] for url in metadata.get_all("Project-URL"))]
        self.assertEqual([address for address in addresses if not address.startswith(REPOSITORY)], [])
        requires = metadata.get_all("Requires-Dist")
        always = {require.partition(">=")[0] for require in requires if "extra ==" not in require}
        self.assertEqual(always, {"Django", "XBlock", "edx-opaque-keys"})
        extras = {
            extra: {require.partition(">=")[0] for require in requires if f'extra == "{extra}"' in require}
            for extra in ("postgres", "postgres-pool", "mysql", "testing", "demo")
        }
        self.assertEqual(
            extras,
            {
                "postgres": {"psycopg2-binary"},
                "postgres-pool": {"psycopg[binary,pool]"},
                "mysql": {"mysqlclient"},
                "testing": {"factory_boy"},
                "demo": {"django-environ", "tqdm", "lazy"},
            },
        )

    def test_its_description_is_the_readme_with_absolute_links(self):
        metadata = self.metadata()
        description = metadata.get_payload()
        links = LINK.findall(description)
        self.assertEqual([link for _, link in links if not link.startswith("https://")], [])
        readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
        for (mark, link), (_, original) in zip(links, LINK.findall(readme), strict=True):
            kind = "raw" if mark else "blob"
            base = f"{REPOSITORY}/{kind}/v{metadata['Version']}/"
            self.assertEqual(link.removeprefix(base), original)
            self.assertEqual(link.startswith(base), not original.startswith("https://"), link)
        self.assertEqual(LINK.sub("", description).strip(), LINK.sub("", readme).strip())


class ForeignProject(Wheel):
    def test_it_is_the_installed_one_that_runs(self):
        code = "import history, kvstore, routers; print(history.__file__, kvstore.__file__, routers.__file__)"
        for path in self.project.run("-c", code).stdout.split():
            self.assertTrue(Path(path).is_relative_to(self.site), path)
        for name in ("bench", "config", "tests"):
            self.assertIn("ModuleNotFoundError", self.project.run("-c", f"import {name}").stdout)

    def test_it_checks_and_migrates_both_databases_and_keeps_state_and_history(self):
        self.assert_runs("check", "--fail-level=WARNING")
        for alias in ALIASES:
            unmigrated = self.project.manage("check", "--deploy", "--database=student_module_history")
            self.assertIn("history.E004", unmigrated.stdout)
            self.assert_runs("migrate", f"--database={alias}")
        self.assert_runs("check", "--deploy", "--database=student_module_history")
        self.assert_runs("makemigrations", "--check", "--dry-run")
        output = self.assert_runs("shell", "--verbosity=0", "-c", SESSION)
        tables = "['xblock_history_erasure', 'xblock_history_studentmodulehistory']"
        self.assertEqual(output.split("\n")[-2], f"[{{'answer': 2}}, {{'answer': 1}}] {tables}")

    def test_the_checks_fire_where_the_router_is_missing(self):
        self.project.add_settings("DATABASE_ROUTERS = []")
        result = self.project.manage("check")
        self.assertEqual(result.returncode, 1)
        for text in ("history.E002", "history.E003", "go to default, not to 'student_module_history'"):
            self.assertIn(text, result.stdout)
        self.assertNotIn("E001", result.stdout)

    def test_the_checks_fire_where_the_project_s_own_routers_hide_ours(self):
        self.project.write("routers.py", "class StudentModuleHistoryRouter:\n    pass\n")
        result = self.project.manage("migrate")
        self.assertEqual(result.returncode, 1)
        for text in ("history.E002", "another module named routers", "routers.__file__"):
            self.assertIn(text, result.stdout)

    def test_a_hidden_router_of_another_name_is_an_import_error(self):
        self.project.write("routers.py", "class Replicas:\n    pass\n")
        result = self.project.manage("check")
        self.assertEqual(result.returncode, 1)
        self.assertIn("StudentModuleHistoryRouter", result.stdout)


SESSION = """
from django.contrib.auth.models import User
from django.db import connections
from opaque_keys.edx.keys import UsageKey
from kvstore.api import DjangoXBlockUserStateClient
User.objects.create(username="amara")
client = DjangoXBlockUserStateClient()
key = UsageKey.from_string("block-v1:Org+Course+Run+type@problem+block@one")
for answer in (1, 2):
    client.set("amara", key, {"answer": answer})
tables = connections["student_module_history"].introspection.table_names()
print([entry.state for entry in client.get_history("amara", key)], [n for n in tables if n != "django_migrations"])
"""
