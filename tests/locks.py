"""Locks that another connection holds."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import connections, models

LOCK = {
    "sqlite": ("BEGIN EXCLUSIVE",),
    "postgresql": ("BEGIN", "LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"),
    "mysql": ("LOCK TABLES {table} WRITE",),
}
UNLOCK = {"sqlite": "ROLLBACK", "postgresql": "ROLLBACK", "mysql": "UNLOCK TABLES"}

SHORTEST_TIMEOUT = {
    "sqlite": "PRAGMA busy_timeout = 50",
    "postgresql": "SET lock_timeout = '50ms'",
    "mysql": "SET lock_wait_timeout = 1",
}
"""MySQL counts in whole seconds."""


@contextmanager
def locked(model: type[models.Model], alias: str) -> Iterator[Callable[[], None]]:
    """Lock the table of a model, on SQLite the file, over another connection; give a function that unlocks it."""
    other = connections[alias].copy()
    held = True

    def unlock() -> None:
        nonlocal held
        if held:
            held = False
            with other.cursor() as cursor:
                cursor.execute(UNLOCK[other.vendor])

    try:
        with other.cursor() as cursor:
            for statement in LOCK[other.vendor]:
                cursor.execute(statement.format(table=model._meta.db_table))
        yield unlock
    finally:
        unlock()
        other.close()


@contextmanager
def impatient(alias: str) -> Iterator[None]:
    """Set the lock timeout of an alias to the minimum of its database."""
    connection = connections[alias]
    with connection.cursor() as cursor:
        cursor.execute(SHORTEST_TIMEOUT[connection.vendor])
    try:
        yield
    finally:
        # A new one has the timeout of the settings again.
        connection.close()
