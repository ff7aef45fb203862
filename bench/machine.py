"""The conditions of a run: processor, memory, versions, and settings of the servers."""

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
from bench.drivers import driver

ROOT = Path(__file__).resolve().parent
DRIVER_PACKAGES = {
    "psycopg2": ["psycopg2-binary", "psycopg2"],
    "psycopg": ["psycopg"],
    "mysqlclient": ["mysqlclient"],
    "sqlite3": [],
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
    """Return the conditions that affect the measured times."""
    return {
        "load before": load(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "revision": revision(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory GB": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "Python": platform.python_version(),
        "driver": driver_in_use(),
        "versions": versions(),
        "database": database_version(),
        "settings": server_settings(),
        "one server for both": same_server(),
    }


def processor() -> str:
    """Return the model of the processor, or its architecture if the model is unknown."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def revision() -> str:
    """Return the short hash of the current commit, or ``unknown``."""
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    return done.stdout.strip() or "unknown"


def load() -> float:
    """Return the load average of the last minute."""
    return round(os.getloadavg()[0], 1)


def driver_in_use() -> str:
    """Return the name of the database's driver."""
    return {"mysql": "mysqlclient", "sqlite": "sqlite3"}.get(vendor()) or driver()


def versions() -> dict[str, str]:
    """Return the versions of the measured packages and of the driver."""
    found = {}
    for package in [*COMMON, *DRIVER_PACKAGES[driver_in_use()]]:
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
        number = str(cursor.fetchone()[0])
    if vendor() == "postgresql":
        return number.partition(" on ")[0]
    return f"{'MariaDB' if product() == 'mariadb' else 'MySQL'} {number}"


def server_settings() -> dict[str, str]:
    """Return the settings that determine the cost of a commit and the size of the cache."""
    with connections["default"].cursor() as cursor:
        return {name: setting(cursor, name) for name in SERVER_SETTINGS[vendor()]}


def setting(cursor: Any, name: str) -> str:
    """Return one setting of the session."""
    statement = {"postgresql": "SHOW {}", "mysql": "SELECT @@{}", "sqlite": "PRAGMA {}"}[vendor()]
    cursor.execute(statement.format(name))
    return str(cursor.fetchone()[0])


def same_server() -> bool:
    """Return whether both databases are on one server, so that they share its processor and disk."""
    places = {(connections[alias].settings_dict["HOST"], connections[alias].settings_dict["PORT"]) for alias in ALIASES}
    return vendor() != "sqlite" and len(places) == 1
