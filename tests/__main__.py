"""Runs the suite on SQLite and on every server that answers, then reports the coverage of all runs together.

    python -m tests [--require-all] [arguments of manage.py test ...]

The databases are tested at the same time, each in a process of its own, which prints its output when it ends. Tests
whose result cannot depend on the database run in the process for SQLite only. Tests of faults have a process of their
own, because they wait for the PostgreSQL servers that they start and stop.

TEST_POSTGRES_URL and TEST_MARIADB_URL locate the servers and name the account; the names of the databases
are added. TEST_POSTGRES_HISTORY_URL and TEST_MARIADB_HISTORY_URL may name a second server for the history. With
--require-all a server that does not answer, or a browser that is not there, is a failure.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple
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


class Run(NamedTuple):
    """A process of manage.py test: its databases by variable, and its options."""

    urls: Mapping[str, str]
    options: list[str]


def main(arguments: list[str]) -> int:
    require_all = "--require-all" in arguments
    arguments = [argument for argument in arguments if argument != "--require-all"]
    coverage("erase")
    runs, lines = planned_runs()
    total = Counter(failed=len(lines) if require_all else 0)
    for name, counts in run_suites(runs, arguments):
        total.update(counts)
        lines.append(f"{name}: {summary(counts)}")
    if problem := chromium.missing():
        lines.append(f"Browser: NOT TESTED, {problem}")
        total["failed"] += require_all
    coverage("combine", "--quiet")
    covered = coverage("report") == 0 if not arguments else True
    total["failed"] += not covered
    print("\n" + "\n".join(lines))
    print(summary(Counter(total, left_out=0)))
    return 1 if total["failed"] else 0


def planned_runs() -> tuple[dict[str, Run], list[str]]:
    """Return the runs by name, and a line for each database that cannot be tested."""
    runs: dict[str, Run] = {}
    lines = []
    for name, urls, problem in databases():
        if problem:
            lines.append(f"{name}: NOT TESTED, {problem}")
        else:
            per_database = [] if name == "SQLite" else ["--per-database"]
            runs[name] = Run(urls, ["--exclude-tag=faults", *per_database])
    if "PostgreSQL" in runs:
        runs["Faults"] = Run(runs["PostgreSQL"].urls, ["--tag=faults"])
    return runs, lines


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


def run_suites(runs: Mapping[str, Run], arguments: Sequence[str]) -> Iterator[tuple[str, Counter[str]]]:
    """Run the suite ``runs`` times in parallel. Yield name and counts of each run when it ends."""
    print(f"Running at the same time: {', '.join(runs)}.", flush=True)
    with ThreadPoolExecutor(len(runs)) as pool:
        names = {pool.submit(run_suite, run.urls, [*arguments, *run.options]): name for name, run in runs.items()}
        for ended in as_completed(names):
            counts, output = ended.result()
            print(f"\n===== {names[ended]} =====\n{output}", flush=True)
            yield names[ended], counts


def run_suite(urls: Mapping[str, str], arguments: Sequence[str]) -> tuple[Counter[str], str]:
    """Run all tests, or the tests that the arguments name, on one database. Return counts and output.

    A run that broke off counts as failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "counts.json"
        variables = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "TEST_COUNTS": str(report), **urls}
        # After the labels: --shuffle would take one as its seed. A --shuffle among the arguments wins.
        shuffle = [] if any(argument.startswith("--shuffle") for argument in arguments) else ["--shuffle"]
        command = ["-m", "coverage", "run", "manage.py", "test", "--noinput", *arguments, *shuffle]
        done = subprocess.run(
            [sys.executable, *WARNINGS, *command],
            cwd=ROOT,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        counts: Counter[str] = Counter(json.loads(report.read_text(encoding="utf-8"))) if report.exists() else Counter()
    if done.returncode and not counts["failed"]:
        counts["failed"] += 1
    return counts, done.stdout


def summary(counts: Counter[str]) -> str:
    text = f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped"
    left_out = counts["left_out"]
    return f"{text}; {left_out} that do not depend on the database ran on SQLite" if left_out else text


def coverage(*arguments: str) -> int:
    return subprocess.run([sys.executable, "-m", "coverage", *arguments], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
