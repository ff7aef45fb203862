"""A project outside the checkout that ``startproject`` created, with the store installed, and commands in it."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from tests.documentation.documents import CHECKOUT

SHIPPED = ("kvstore", "history", "routers.py")
COMMANDS = {
    "python": "",
    "python3": "",
    "pip": "-m pip",
    "django-admin": "-m django",
}
SETTINGS = """
import os

ROOT_URLCONF = "mysite.urls"
INSTALLED_APPS += ["kvstore", "history"]
MIDDLEWARE += ["history.middleware.ChangeContextMiddleware"]
DATABASES = {
    alias: {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": BASE_DIR / f"{alias}.sqlite3",
        # A file, because tests use threads; the tables of the models, because migrations take longer.
        "TEST": {"NAME": BASE_DIR / f"test_{alias}.sqlite3", "MIGRATE": False},
    }
    for alias in ("default", "student_module_history")
}
DATABASE_ROUTERS = ["routers.StudentModuleHistoryRouter"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# From Django 6.1, check --deploy refuses the backend that startproject sets.
MAILERS = {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend"}}
"""
SECONDS = 120
"""that a block may take"""


class Environment:
    """The commands ``python``, ``pip`` and ``django-admin`` of this environment, with the store of this checkout."""

    def __init__(self, folder: Path) -> None:
        self.programs, self.installed = folder / "bin", folder / "installed"
        self.programs.mkdir(parents=True)
        self.installed.mkdir()
        for name in SHIPPED:
            (self.installed / name).symlink_to(CHECKOUT / name)
        for name, module in COMMANDS.items():
            program = self.programs / name
            program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {module} "$@"\n', encoding="utf-8")
            program.chmod(0o755)

    def variables(self, project: Path) -> dict[str, str]:
        """Return the variables of a process in the project: without those of this project's settings and tests."""
        kept = {name: os.environ[name] for name in ("HOME", "LANG", "LD_LIBRARY_PATH") if name in os.environ}
        return kept | {
            "PATH": os.pathsep.join([str(self.programs), str(project), os.environ["PATH"]]),
            "PYTHONPATH": str(self.installed),
            "PYTHONDONTWRITEBYTECODE": "1",
            # Finds the packages of this environment, and downloads nothing.
            "PIP_NO_INDEX": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }


class Project:
    """A project in a folder. Every command of it ends before :meth:`close` returns."""

    def __init__(self, folder: Path, environment: Environment) -> None:
        self.folder = folder
        self.variables = environment.variables(folder)
        self.services: list[tuple[str, subprocess.Popen[bytes], Any]] = []
        self._session: subprocess.Popen[str] | None = None

    def sh(self, code: str) -> str:
        """Run shell commands. Return their output. Raises AssertionError if one fails."""
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", code],
            cwd=self.folder,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        if done.returncode:
            raise AssertionError(f"exit code {done.returncode}\n{done.stdout}")
        return done.stdout

    def start(self, code: str) -> None:
        """Start shell commands that run until :meth:`stop_services`."""
        log = TemporaryFile()  # noqa: SIM115  closed by stop_services
        process = subprocess.Popen(
            ["bash", "-e", "-c", code],
            cwd=self.folder,
            env=self.variables | {"PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.services.append((code, process, log))

    def stop_services(self) -> None:
        """Stop the started commands. Raises AssertionError if one of them has ended by itself."""
        ended = []
        for code, process, log in self.services:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
            else:
                log.seek(0)
                ended.append(f"{code}ended with {process.returncode}\n{log.read().decode()}")
            process.wait(SECONDS)
            log.close()
        self.services.clear()
        if ended:
            raise AssertionError("\n".join(ended))

    def tell_session(self, **message: Any) -> str:
        """Run a Python or SQL block in the session of the project. Return its output, or raise AssertionError."""
        if self._session is None:
            self._session = self._start_session()
        assert self._session.stdin
        assert self._session.stdout
        print(json.dumps(message), file=self._session.stdin, flush=True)
        line = self._session.stdout.readline()
        if not line:
            raise AssertionError("the session ended")
        answer = json.loads(line)
        if answer["failed"]:
            raise AssertionError(answer["output"])
        return str(answer["output"])

    def _start_session(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["python", "-P", str(CHECKOUT / "tests" / "documentation" / "session.py")],
            cwd=self.folder,
            env=self.variables
            | {
                "DJANGO_SETTINGS_MODULE": "mysite.settings",
                "PYTHONPATH": os.pathsep.join([str(self.folder), self.variables["PYTHONPATH"]]),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def close(self) -> None:
        """End the session and the services."""
        if self._session is not None:
            assert self._session.stdin
            assert self._session.stdout
            self._session.stdin.close()
            self._session.wait(SECONDS)
            self._session.stdout.close()
            self._session = None
        self.stop_services()


def create_project(folder: Path, environment: Environment, settings: str = "") -> Project:
    """Create a migrated project with two learners, whose databases the text ``settings`` may replace."""
    folder.mkdir()
    project = Project(folder, environment)
    project.sh("django-admin startproject mysite .\nchmod +x manage.py")
    with (folder / "mysite" / "settings.py").open("a", encoding="utf-8") as file:
        file.write(SETTINGS + settings)
    project.sh("python manage.py migrate -v 0\npython manage.py migrate -v 0 --database student_module_history")
    prepare = CHECKOUT / "tests" / "documentation" / "prepare.py"
    path = f"{folder}:{environment.installed}"
    project.sh(f"PYTHONPATH='{path}' DJANGO_SETTINGS_MODULE=mysite.settings python '{prepare}'")
    return project


def copy_of(project: Project, folder: Path, environment: Environment) -> Project:
    """Return a project with the files of another one, its SQLite databases included."""
    shutil.copytree(project.folder, folder)
    return Project(folder, environment)
