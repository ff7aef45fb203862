"""History databases that are really not there, and transactions that are really rolled back."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connections, transaction
from django.test import override_settings

from history.breaker import breaker
from history.models import StudentModuleHistory

ALIAS = "student_module_history"


class Rollback(Exception):
    """Ends a transaction that shall not be committed."""


@contextmanager
def rolled_back() -> Iterator[None]:
    """Undo, on ``default`` alone, what is written inside."""
    try:
        with transaction.atomic():
            yield
            raise Rollback
    except Rollback:
        pass


@contextmanager
def fresh_breaker() -> Iterator[None]:
    """Begin with a breaker that knows of no failure, and leave it so: it outlives a test."""
    breaker.reset()
    try:
        yield
    finally:
        breaker.reset()


@contextmanager
def alias_missing() -> Iterator[None]:
    """Name an alias for the history that DATABASES does not have."""
    with fresh_breaker(), override_settings(HISTORY_DATABASE_ALIAS="absent"):
        yield


@contextmanager
def history_outage() -> Iterator[None]:
    """Take the table of entries away, and give it back. Commits, so for TransactionTestCase."""
    table = StudentModuleHistory._meta.db_table
    with fresh_breaker():
        _rename(table, f"{table}_away")
        try:
            yield
        finally:
            _rename(f"{table}_away", table)


def _rename(name: str, to: str) -> None:
    with connections[ALIAS].schema_editor() as editor:
        editor.alter_db_table(StudentModuleHistory, name, to)
