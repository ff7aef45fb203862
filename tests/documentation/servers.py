"""Two databases on the server of the tests, for a page with SQL blocks."""

from collections.abc import Iterator
from contextlib import contextmanager
from secrets import token_hex

from django.db import connection

ALIASES = {"default": "", "student_module_history": "_history"}


@contextmanager
def databases() -> Iterator[str]:
    """Create two databases on the server of ``default``. Return settings of a project that uses them."""
    names = {alias: f"documents_{token_hex(4)}{suffix}" for alias, suffix in ALIASES.items()}
    try:
        for name in names.values():
            execute(f"CREATE DATABASE {name}")
        databases = {alias: options(name) for alias, name in names.items()}
        yield f"DATABASES = {databases!r}\n"
    finally:
        for name in names.values():
            execute(f"DROP DATABASE IF EXISTS {name}" + (" WITH (FORCE)" if connection.vendor == "postgresql" else ""))


def options(name: str) -> dict[str, object]:
    """Return the settings of an alias with the account of the tests."""
    kept = ("ENGINE", "HOST", "PORT", "USER", "PASSWORD", "OPTIONS")
    return {key: connection.settings_dict[key] for key in kept} | {"NAME": name}


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
