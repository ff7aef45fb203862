"""Runs the suite on SQLite and on every server that answers, then reports the coverage of all runs together.

    python -m tests [--require-all] [arguments of manage.py test ...]

TEST_POSTGRES_URL and TEST_MARIADB_URL say where the servers are and as whom to connect; the names of the databases
are added. TEST_POSTGRES_HISTORY_URL and TEST_MARIADB_HISTORY_URL may name a second server for the history. With
--require-all a server that does not answer, or a browser that is not there, is a failure.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from tests.browser import chromium

ROOT = Path(__file__).resolve().parent.parent
STATE, HISTORY = "student_modules", "student_module_history"
SERVERS = {
    "PostgreSQL": ("TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432"),
    "MariaDB": ("TEST_MARIADB_URL", "mysql://root@127.0.0.1:3306"),
}
# webob 1.8 imports a module that Python 3.13 dropped; nothing here can change that.
WARNINGS = ["-W", "error", "-W", "ignore:'cgi' is deprecated:DeprecationWarning"]


def main(arguments: list[str]) -> int:
    require_all = "--require-all" in arguments
    arguments = [argument for argument in arguments if argument != "--require-all"]
    coverage("erase")
    total: Counter[str] = Counter()
    lines = []
    for name, urls, problem in databases():
        if problem:
            lines.append(f"{name}: NOT TESTED, {problem}")
            total["failed"] += require_all
            continue
        print(f"\n===== {name} =====", flush=True)
        counts = run_suite(urls, arguments)
        total.update(counts)
        lines.append(f"{name}: {counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    if problem := chromium.missing():
        lines.append(f"Browser: NOT TESTED, {problem}")
        total["failed"] += require_all
    coverage("combine", "--quiet")
    covered = coverage("report") == 0 if not arguments else True
    total["failed"] += not covered
    print("\n" + "\n".join(lines))
    print(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")
    return 1 if total["failed"] else 0


def databases() -> list[tuple[str, dict[str, str], str]]:
    """Return each database's name, its URLs by variable, and why it cannot be tested, if it cannot."""
    found = [("SQLite", {}, "")]
    for name, (variable, default) in SERVERS.items():
        url = os.environ.get(variable, default).rstrip("/")
        history_url = os.environ.get(variable.replace("_URL", "_HISTORY_URL"), url).rstrip("/")
        urls = {"DATABASE_URL": f"{url}/{STATE}", "HISTORY_DATABASE_URL": f"{history_url}/{HISTORY}"}
        problem = unreachable(url) or unreachable(history_url)
        found.append((name, urls, f"{problem} (set {variable}, now {url})" if problem else ""))
    return found


def unreachable(url: str) -> str:
    """Return why the server does not take a connection; nothing where it does."""
    parts = urlsplit(url)
    where = {"host": parts.hostname, "port": parts.port, "user": parts.username, "password": parts.password or ""}
    connect: Callable[..., object]
    try:
        if parts.scheme == "mysql":
            from MySQLdb import connect
        else:
            from psycopg2 import connect

            where["dbname"] = "postgres"
        connection = connect(connect_timeout=5, **where)
    except Exception as error:  # each driver has errors of its own, and any of them is the reason
        return f"{type(error).__name__}: {str(error).strip()}"
    connection.close()  # type: ignore[attr-defined]
    return ""


def run_suite(urls: Mapping[str, str], arguments: list[str]) -> Counter[str]:
    """Run all tests, or those that the arguments name, on one database. A run that broke off counts as failed."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "counts.json"
        variables = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "TEST_COUNTS": str(report), **urls}
        # Behind the labels: what follows it is taken for its seed. One of the arguments' own wins.
        shuffle = [] if any(argument.startswith("--shuffle") for argument in arguments) else ["--shuffle"]
        command = ["-m", "coverage", "run", "manage.py", "test", "--noinput", *arguments, *shuffle]
        code = subprocess.run([sys.executable, *WARNINGS, *command], cwd=ROOT, env=variables, check=False).returncode
        counts: Counter[str] = Counter(json.loads(report.read_text(encoding="utf-8"))) if report.exists() else Counter()
    if code and not counts["failed"]:
        counts["failed"] += 1
    return counts


def coverage(*arguments: str) -> int:
    return subprocess.run([sys.executable, "-m", "coverage", *arguments], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
