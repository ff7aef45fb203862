"""The machine of the measurement: processor, memory, versions, and the relevant settings of the servers."""

import os
import platform
import sqlite3
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from django.db import connections

from bench.databases import ALIASES, product, vendor

ROOT = Path(__file__).resolve().parent
PACKAGES = {
    "postgresql": ["psycopg", "psycopg2-binary", "psycopg2"],
    "mysql": ["mysqlclient"],
    "sqlite": [],
}
COMMON = ["django-student-module-store", "Django", "XBlock", "edx-opaque-keys", "django-simple-history"]
SERVER_SETTINGS = {
    "postgresql": [
        "fsync",
        "synchronous_commit",
        "full_page_writes",
        "shared_buffers",
        "max_wal_size",
        "autovacuum",
        "default_toast_compression",
    ],
    "mysql": ["innodb_flush_log_at_trx_commit", "innodb_buffer_pool_size", "innodb_doublewrite", "log_bin"],
    "sqlite": ["journal_mode", "synchronous", "cache_size"],
}


def described() -> dict[str, Any]:
    """Return the facts that a reader needs to interpret the numbers."""
    return {
        "load before": load(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "revision": revision(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory GB": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "Python": platform.python_version(),
        "versions": versions(),
        "database": database_version(),
        "settings": server_settings(),
        "one server for both": same_server(),
    }


def processor() -> str:
    """Return the model of the processor, if the system reports it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def revision() -> str:
    """Return the measured commit, if git reports it."""
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    return done.stdout.strip() or "unknown"


def load() -> float:
    """Return how many processes wanted to run in the last minute; about one or two on an idle machine."""
    return round(os.getloadavg()[0], 1)


def versions() -> dict[str, str]:
    """Return the versions of the packages that take part."""
    found = {}
    for package in [*COMMON, *PACKAGES[vendor()]]:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def database_version() -> str:
    """Return the name and version of the server, or of the library."""
    if vendor() == "sqlite":
        return f"SQLite {sqlite3.sqlite_version}"
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT version()")
        version = str(cursor.fetchone()[0])
    if vendor() == "postgresql":
        return version.partition(" on ")[0]
    return f"{'MariaDB' if product() == 'mariadb' else 'MySQL'} {version}"


def server_settings() -> dict[str, str]:
    """Return the settings that determine the cost of a commit and the use of memory."""
    with connections["default"].cursor() as cursor:
        return {name: setting(cursor, name) for name in SERVER_SETTINGS[vendor()]}


def setting(cursor: Any, name: str) -> str:
    """Return one setting of the session."""
    statement = {"postgresql": "SHOW {}", "mysql": "SELECT @@{}", "sqlite": "PRAGMA {}"}[vendor()]
    cursor.execute(statement.format(name))
    return str(cursor.fetchone()[0])


def same_server() -> bool:
    """Return whether state and history share a server, so that one's work slows the other's."""
    places = {(connections[alias].settings_dict["HOST"], connections[alias].settings_dict["PORT"]) for alias in ALIASES}
    return vendor() != "sqlite" and len(places) == 1
