"""Settings of a project with the store and the contenders.

DATABASE_URL, HISTORY_DATABASE_URL   the benchmark creates databases with these names and the prefix ``bench_``;
                                     default: PostgreSQL on 127.0.0.1
BENCH_DRIVER                         the PostgreSQL driver: psycopg2 or psycopg
"""

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ

from bench import drivers
from config.databases import database

ROOT = Path(__file__).resolve().parent.parent
PREFIX = "bench_"
DEFAULT_URL = "postgres://postgres@127.0.0.1:5432/student_modules"

HISTORY = "student_module_history"
# Three histories of different sizes, for the case growth.
GROWN = {"history_small": "small", "history_medium": "medium", "history_large": "large"}

drivers.choose()
env = environ.Env()


def history_url(url: str) -> str:
    """Return the URL of a history database on the same server, or in the same folder."""
    parts = urlsplit(url)
    path = Path(parts.path)
    return parts._replace(path=f"{path.parent / path.stem}_history{path.suffix}".replace("//", "/")).geturl()


def own_database(variable: str, suffix: str = "") -> dict[str, Any]:
    """Return the settings of a database that the benchmark creates and drops like a test database."""
    settings = database(env, variable, ROOT / "var" / f"{variable.lower()}.sqlite3")
    path = Path(settings["NAME"])
    settings["TEST"] = {"NAME": str(path.with_name(f"{PREFIX}{path.stem}{suffix}{path.suffix}"))}
    return settings


os.environ.setdefault("DATABASE_URL", DEFAULT_URL)
os.environ.setdefault("HISTORY_DATABASE_URL", history_url(os.environ["DATABASE_URL"]))

DATABASES = {
    "default": own_database("DATABASE_URL"),
    HISTORY: own_database("HISTORY_DATABASE_URL"),
    **{alias: own_database("HISTORY_DATABASE_URL", f"_{size}") for alias, size in GROWN.items()},
}
DATABASE_ROUTERS = ["bench.router.ContendersRouter", "routers.StudentModuleHistoryRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "kvstore",
    "history",
    "simple_history",
    "bench",
]
SECRET_KEY = "unused by the benchmark"  # noqa: S105  not a secret
DEBUG = False
USE_TZ = True
TIME_ZONE = "UTC"
# Learners of the benchmark never log in.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
