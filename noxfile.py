"""Runs the tests on the supported pairs of Python and Django; the oldest and the newest pair also on servers.

    nox                           every pair, then the table of the numbers of tests
    nox -s "tests(3.12-6.0)"      one pair
    nox -s "psycopg2(3.11-5.2)"   the oldest or the newest pair on PostgreSQL with psycopg2
    nox -s newest                 the newest pair that this machine has; .ci/run runs it
    nox -s table                  the table of the last results
    nox -s tests -- tests.kvstore --failfast    arguments of manage.py test

Processes of nox may run different sessions at the same time, because each cell of the table has its own databases.
TEST_POSTGRES_URL and TEST_MARIADB_URL locate the servers, as for ``python -m tests``.
"""

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nox

RESULTS = Path(__file__).resolve().parent / "var" / "matrix"
PYTHONS = {
    "5.2": ("3.11", "3.12", "3.13", "3.14"),
    "6.0": ("3.12", "3.13", "3.14"),
    "6.1": ("3.12", "3.13", "3.14", "3.15"),
}
"""the versions of Python that each version of Django supports"""
EXPECTED = ("3.11", "3.12", "3.13")
"""the versions of Python without which the table has gaps; newer ones are tested where the machine has them"""

POSTGRES = os.environ.get("TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432").rstrip("/")
MARIADB = os.environ.get("TEST_MARIADB_URL", "mysql://root@127.0.0.1:3306").rstrip("/")
# Django prefers psycopg 3 to psycopg2 where both are installed. config/databases.py passes the option pool to Django.
URLS = {
    "SQLite": f"sqlite:///{RESULTS}/{{name}}.sqlite3",
    "psycopg2": f"{POSTGRES}/{{name}}",
    "psycopg 3": f"{POSTGRES}/{{name}}",
    "psycopg 3 pooled": f"{POSTGRES}/{{name}}?pool=True",
    "MariaDB": f"{MARIADB}/{{name}}",
}
# The same as in tests/__main__.py, which needs packages that the environment of nox does not have.
WARNINGS = ["-W", "error", "-W", "ignore:'cgi' is deprecated:DeprecationWarning"]
OPTIONS = ["--noinput", "--exclude-tag=faults"]
VERSIONS = "import django, platform; print(platform.python_version(), django.__version__)"

# The commands in pyenv's shims start only the versions that pyenv has selected.
PYENV = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
os.environ["PATH"] = os.pathsep.join([*map(str, sorted(PYENV.glob("versions/3.*/bin"))), os.environ["PATH"]])
FOUND = {python for pythons in PYTHONS.values() for python in pythons if shutil.which(f"python{python}")}
PAIRS = [
    (python, django) for django, pythons in PYTHONS.items() for python in pythons if python in FOUND.union(EXPECTED)
]
OLDEST, NEWEST = PAIRS[0], PAIRS[-1]
NEWEST_FOUND = next((pair for pair in reversed(PAIRS) if pair[0] in FOUND), OLDEST)

nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["tests", "psycopg2", "table"]


def pairs(*chosen: tuple[str, str]) -> Any:
    return nox.parametrize("python,django", [nox.param(*pair, id="-".join(pair)) for pair in chosen])


@nox.session
@pairs(*PAIRS)
def tests(session: nox.Session, django: str) -> None:
    """SQLite; the oldest and the newest pair also PostgreSQL with psycopg 3, with its pool, and MariaDB."""
    servers = ["psycopg 3", "psycopg 3 pooled", "MariaDB"] if (session.python, django) in (OLDEST, NEWEST) else []
    run_cells(session, django, ["SQLite", *servers], extras="dev,postgres-pool,mysql" if servers else "dev")


@nox.session
@pairs(OLDEST, NEWEST)
def psycopg2(session: nox.Session, django: str) -> None:
    """PostgreSQL with psycopg2."""
    run_cells(session, django, ["psycopg2"], extras="dev")


@nox.session(python=NEWEST_FOUND[0])
def newest(session: nox.Session) -> None:
    """The newest pair that this machine has, on SQLite."""
    session.log(f"Not on this machine: {missing() or 'no version'}.")
    run_cells(session, NEWEST_FOUND[1], ["SQLite"], extras="dev")


@nox.session(python=False)
def table(session: nox.Session) -> None:
    """Print the last results as a table in Markdown."""
    results = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(RESULTS.glob("*.json"))]
    cells = {(result["python"], result["django"], result["database"]): summary(result) for result in results}
    lines = ["Python | Django | " + " | ".join(URLS), " | ".join(["---"] * (len(URLS) + 2))]
    for pair in dict.fromkeys(cell[:2] for cell in cells):
        lines.append(" | ".join([*pair, *(cells.get((*pair, database), "") for database in URLS)]))
    print("\n".join(f"| {line} |" for line in lines))  # noqa: T201  the output of the session
    print(f"\nNot on this machine: {missing() or 'no version'}.")  # noqa: T201


def missing() -> str:
    """Return the supported versions of Python that the machine does not have."""
    return ", ".join(f"Python {python}" for python in sorted(set(PYTHONS["6.1"]).union(EXPECTED) - FOUND))


def run_cells(session: nox.Session, django: str, databases: Sequence[str], *, extras: str) -> None:
    """Install the package and run the tests on each database. Fail at the end if a test failed."""
    session.install("--quiet", "--editable", f".[{extras}]", f"Django~={django}.0")
    failed = [database for database in databases if run_cell(session, django, database)["failed"]]
    if failed:
        session.error(f"Tests failed on {', '.join(failed)}.")


def run_cell(session: nox.Session, django: str, database: str) -> dict[str, Any]:
    """Run the tests on one database. Store the counts and the exact versions for the table, and return them."""
    name = f"matrix_{session.python}_{django}_{database}".lower().replace(".", "").replace(" ", "_")
    RESULTS.mkdir(parents=True, exist_ok=True)
    file = RESULTS / f"{name}.json"
    file.unlink(missing_ok=True)
    url = URLS[database]
    variables = {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "TEST_COUNTS": str(file),
        "DATABASE_URL": url.format(name=name),
        # Not with a pool, which the store does not use for the history.
        "HISTORY_DATABASE_URL": url.format(name=f"{name}_history").partition("?")[0],
    }
    command = ["manage.py", "test", *OPTIONS, *([] if database == "SQLite" else ["--per-database"]), *session.posargs]
    session.run("python", *WARNINGS, *command, "--shuffle", env=variables, success_codes=[*range(256)])
    # A run that breaks off writes no counts, and counts as failed.
    counts = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"passed": 0, "failed": 1, "skipped": 0}
    versions = str(session.run("python", "-c", VERSIONS, silent=True)).split()
    result = {**counts, "python": versions[0], "django": versions[1], "database": database}
    file.write_text(json.dumps(result), encoding="utf-8")
    session.log(f"Python {versions[0]}, Django {versions[1]}, {database}: {summary(result)}.")
    return result


def summary(result: dict[str, Any]) -> str:
    return f"{result['passed']} passed, {result['failed']} failed, {result['skipped']} skipped"
