"""A Django project in a folder, run in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

SETTINGS = """
from pathlib import Path

BASE = Path(__file__).parent
SECRET_KEY = "for this test only"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "kvstore", "history"]
DATABASES = {
    alias: {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE / f"{alias}.sqlite3"}
    for alias in ("default", "student_module_history")
}
DATABASE_ROUTERS = ["routers.StudentModuleHistoryRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
"""

# An editable install of this checkout finds our modules inside another package of the same name; a wheel does not.
MANAGE = """
import sys
from django.core.management import execute_from_command_line

sys.meta_path[:] = [finder for finder in sys.meta_path if "Editable" not in getattr(finder, "__name__", "")]
execute_from_command_line(sys.argv)
"""


class Project:
    """A project in ``folder``, run with ``python``; modules are found there first, then in ``paths``."""

    def __init__(self, folder: Path, *paths: Path, python: str = sys.executable) -> None:
        self.folder = folder
        self.paths = paths
        self.python = python
        folder.mkdir(parents=True, exist_ok=True)
        self.write("settings.py", SETTINGS)
        self.write(
            "manage.py",
            MANAGE,
        )

    def write(self, name: str, text: str) -> None:
        """Write a file of the project."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def add_settings(self, text: str) -> None:
        """Put more lines at the end of the settings."""
        self.write("settings.py", (self.folder / "settings.py").read_text(encoding="utf-8") + text + "\n")

    def manage(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run ``manage.py`` with these arguments; its two streams come as one."""
        return self.run("manage.py", *args)

    def run(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run Python with these arguments, in the folder, without the variables of the project under test."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LD_LIBRARY_PATH") if name in os.environ}
        environment = kept | {
            "DJANGO_SETTINGS_MODULE": "settings",
            "PYTHONPATH": os.pathsep.join(map(str, self.paths)),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        return subprocess.run(
            [self.python, *args],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=60,
        )
