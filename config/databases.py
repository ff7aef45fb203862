"""Database aliases from URLs, with the options each engine needs to host learners' state."""

from pathlib import Path
from typing import Any

import environ

SQLITE = "django.db.backends.sqlite3"
MYSQL = "django.db.backends.mysql"
POSTGRESQL = "django.db.backends.postgresql"

LOCK_TIMEOUT = 5
"""seconds that a statement waits for another transaction's lock, because a user waits for the statement"""
POOL_TIMEOUT = 2
"""seconds that a request waits for a connection of a pool; by default 30, also while the server does not answer"""

# WAL lets readers go on while one process writes. IMMEDIATE takes the write lock when a transaction
# begins, where waiting is safe, instead of at its first write, where SQLite can only refuse.
# NORMAL suits development: a power failure can remove the last commits of each file. FULL, the default, prevents this.
SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": LOCK_TIMEOUT,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
}
# Strict mode refuses what does not fit; without it MySQL stores a shortened key.
MYSQL_OPTIONS = {
    "charset": "utf8mb4",
    "isolation_level": "read committed",
    # For rows, and for tables that are being altered. By default MySQL waits 50 seconds, and at least a day.
    "init_command": (
        f"SET sql_mode='STRICT_TRANS_TABLES', innodb_lock_wait_timeout={LOCK_TIMEOUT}, lock_wait_timeout={LOCK_TIMEOUT}"
    ),
}
# Without it, PostgreSQL waits until the other transaction ends.
POSTGRESQL_OPTIONS = {"options": f"-c lock_timeout={LOCK_TIMEOUT}s"}
ENGINE_OPTIONS: dict[str, dict[str, Any]] = {
    SQLITE: SQLITE_OPTIONS,
    MYSQL: MYSQL_OPTIONS,
    POSTGRESQL: POSTGRESQL_OPTIONS,
}


def database(env: environ.Env, variable: str, default_file: Path) -> dict[str, Any]:
    """Return the settings of the alias whose URL is in ``variable``; without one, an SQLite file."""
    settings: dict[str, Any] = env.db_url(variable, default=f"sqlite:///{default_file}")
    options = settings["OPTIONS"] = ENGINE_OPTIONS.get(settings["ENGINE"], {}) | settings.get("OPTIONS", {})
    if "pool" in options:
        # The options of a URL are texts and integers, and Django accepts neither.
        chosen = str(options["pool"]).lower() in env.BOOLEAN_TRUE_STRINGS
        options["pool"] = {"timeout": POOL_TIMEOUT} if chosen else False
    if settings["ENGINE"] == SQLITE:
        file = Path(settings["NAME"])
        file.parent.mkdir(parents=True, exist_ok=True)
        # A test database in memory cannot be seen from a second connection; a file can.
        settings["TEST"] = {"NAME": str(file.with_name(f"test_{file.name}"))}
    return settings
