"""Chooses the PostgreSQL driver of a process. By default Django uses psycopg 3 if it can be imported."""

import os
import sys
from importlib.util import find_spec

VARIABLE = "BENCH_DRIVER"
DRIVERS = ("psycopg2", "psycopg")


def installed() -> list[str]:
    """Return the installed drivers."""
    return [name for name in DRIVERS if find_spec(name)]


def driver() -> str:
    """Return the driver of this process and of its child processes."""
    return os.environ.get(VARIABLE) or ("psycopg" if find_spec("psycopg") else "psycopg2")


def choose() -> None:
    """Make psycopg 3 unimportable if the environment names psycopg2. Call it before Django imports its backends."""
    if os.environ.get(VARIABLE) == "psycopg2":
        # Python raises ImportError for a module that is None in sys.modules.
        sys.modules["psycopg"] = None  # type: ignore[assignment]
