"""Builds a release, checks it, and uploads it only with --upload.

    python release.py             builds and checks; CI runs this
    python release.py --upload    also tags the commit and uploads both files

The steps are: the version of setup.py is the newest one in CHANGELOG.md, the working tree is clean, and no other commit
has the version's tag; the sdist and the wheel build, and four tools accept them; the wheel serves a new project in an
environment of its own; the demo and the tests run from the unpacked sdist. The first step that fails ends the script.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Mapping
from pathlib import Path

from tests.projects import Project

ROOT = Path(__file__).resolve().parent
HEADING = re.compile(r"^## (?P<version>\S+) \((?P<date>unreleased|\d{4}-\d{2}-\d{2})\)$", re.MULTILINE)
ALIASES = ("default", "student_module_history")
TEST_LABELS = ("tests.kvstore", "tests.history")


class NotReleasable(SystemExit):
    """A check of the release failed. The message names the fix."""


def main(arguments: list[str]) -> None:
    is_upload = parsed(arguments).upload
    if is_upload and os.environ.get("CI"):
        raise NotReleasable("CI must not upload a release. Run release.py --upload yourself.")
    version = checked_version((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), is_upload=is_upload)
    check_repository(ROOT, f"v{version}", is_upload=is_upload)
    with tempfile.TemporaryDirectory() as name:
        files = checked_files(Path(name))
        if is_upload:
            publish(version, files)
        else:
            print(f"{version} can be released. Nothing was uploaded.")


def parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upload", action="store_true", help="tag the commit, and upload the sdist and the wheel")
    return parser.parse_args(arguments)


def checked_version(changelog: str, *, is_upload: bool) -> str:
    """Return the version of setup.py. Raises NotReleasable unless it is the newest one in the changelog."""
    version = re.search(r'^VERSION = "(.+)"$', (ROOT / "setup.py").read_text(encoding="utf-8"), re.MULTILINE)
    newest = HEADING.search(changelog)
    if not version or not newest or version[1] != newest["version"]:
        raise NotReleasable(
            f"setup.py has VERSION {version and version[1]}, and the first heading of CHANGELOG.md has the version "
            f"{newest and newest['version']}. Change one of them. A heading is: ## 1.2.3 (unreleased or 2026-01-31)"
        )
    if is_upload and newest["date"] == "unreleased":
        raise NotReleasable("Replace 'unreleased' in CHANGELOG.md by today's date, and commit it.")
    return version[1]


def check_repository(folder: Path, tag: str, *, is_upload: bool) -> None:
    """Raises NotReleasable if files are not committed, or if another commit has the tag."""
    if changed := git(folder, "status", "--porcelain"):
        raise NotReleasable(f"Commit or remove these files first:\n{changed}")
    tagged = git(folder, "tag", "--list", "--format=%(objectname)%(*objectname)", tag)
    if tagged and (is_upload or git(folder, "rev-parse", "HEAD") not in tagged):
        raise NotReleasable(f"The tag {tag} exists. Raise VERSION in setup.py, and add a heading to CHANGELOG.md.")


def checked_files(folder: Path) -> tuple[Path, Path]:
    """Build the sdist and the wheel in the folder, and check them. Return both."""
    sdist, wheel = build(folder / "dist")
    check_files(sdist, wheel)
    python = install(wheel, folder / "environment")
    check_project(Project(folder / "project", python=python))
    check_source(unpack(sdist, folder / "source"), python)
    return sdist, wheel


def publish(version: str, files: tuple[Path, Path]) -> None:
    run("git", "tag", "--annotate", "--message", f"Release {version}", f"v{version}")
    run("twine", "upload", *files)
    print(f"Uploaded. Now run: git push origin v{version}")


def build(folder: Path) -> tuple[Path, Path]:
    """Build the sdist, and the wheel from it. Return both."""
    run(sys.executable, "-m", "build", "--quiet", "--outdir", folder, ROOT)
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return sdist, wheel


def check_files(sdist: Path, wheel: Path) -> None:
    run("twine", "check", "--strict", sdist, wheel)
    run("check-wheel-contents", wheel)
    run("check-manifest", ROOT)
    # The project has no mail address: SECURITY.md and the issues of the repository are its contacts.
    run("pyroma", "--min", "10", "--skip-tests", "AuthorEmail", sdist)


def install(wheel: Path, folder: Path) -> str:
    """Install the wheel with the packages of the demo. Return the path of its Python."""
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    run(python, "-m", "pip", "install", "--quiet", "--quiet", f"{wheel}[demo]")
    run(python, "-m", "pip", "check")
    return python


def check_project(project: Project) -> None:
    """Check and migrate a new project that has the wheel only."""
    for command in (
        ("check", "--fail-level=WARNING"),
        *(("migrate", f"--database={alias}") for alias in ALIASES),
        ("check", "--deploy", *(f"--database={alias}" for alias in ALIASES)),
        ("makemigrations", "--check", "--dry-run"),
    ):
        print("$ manage.py", *command, "(in a new project)", flush=True)
        if (done := project.manage(*command)).returncode:
            raise NotReleasable(done.stdout)


def unpack(sdist: Path, folder: Path) -> Path:
    shutil.unpack_archive(sdist, folder)
    (source,) = folder.iterdir()
    return source


def check_source(source: Path, python: str) -> None:
    """Load the demo with ``python``, which has its packages only; run tests on SQLite with the present Python."""
    demo = {
        "DEBUG": "1",
        "DATABASE_URL": f"sqlite:///{source}/d.sqlite3",
        "HISTORY_DATABASE_URL": f"sqlite:///{source}/h.sqlite3",
    }
    for alias in ALIASES:
        run(python, "manage.py", "migrate", "--verbosity=0", f"--database={alias}", cwd=source, variables=demo)
    run(python, "manage.py", "load_demo", cwd=source, variables=demo)
    tests = {"DJANGO_SETTINGS_MODULE": "tests.settings"}
    run(sys.executable, "manage.py", "test", "--noinput", *TEST_LABELS, cwd=source, variables=tests)


def run(*command: object, cwd: Path = ROOT, variables: Mapping[str, str] | None = None) -> None:
    """Run a program, of the present environment if it has no path. Raises NotReleasable if it fails."""
    words = [str(word) for word in command]
    print("$", *words, flush=True)
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    environment = {**os.environ, "PATH": path, **(variables or {})}
    if status := subprocess.run(words, cwd=cwd, env=environment, check=False).returncode:
        raise NotReleasable(f"{words[0]} ended with exit code {status}.")


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main(sys.argv[1:])
