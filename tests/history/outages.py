"""History databases that are really unavailable, and transactions that really roll back."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections, models, transaction
from django.test import override_settings

from history.database.circuit_breaker import breaker
from history.models import StudentModuleHistory

ALIAS = "student_module_history"

SESSION = {"postgresql": "SELECT pg_backend_pid()", "mysql": "SELECT CONNECTION_ID()"}
"""the query for the id of the current session"""
END_SESSION = {"postgresql": "SELECT pg_terminate_backend(%s)", "mysql": "KILL %s"}


def end_session(alias: str) -> None:
    """End the server's session of this thread's connection, which stays open here, from another connection."""
    connection = connections[alias]
    with connection.cursor() as cursor:
        cursor.execute(SESSION[connection.vendor])
        (session,) = cursor.fetchone()
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute(END_SESSION[connection.vendor], [session])
    other.close()


# SQLite adds a constraint only to a new table.
REFUSE = {
    "sqlite": "CREATE TRIGGER refusing BEFORE INSERT ON {table} WHEN NEW.reason = '{reason}' "
    "BEGIN SELECT RAISE(ABORT, 'refused'); END",
    "server": "ALTER TABLE {table} ADD CONSTRAINT refusing CHECK (reason <> '{reason}')",
}
ACCEPT = {"sqlite": "DROP TRIGGER refusing", "server": "ALTER TABLE {table} DROP CONSTRAINT refusing"}


class Rollback(Exception):
    """Ends a transaction that shall not be committed."""


@contextmanager
def rolled_back() -> Iterator[None]:
    """Roll back, on ``default`` alone, the writes inside the block."""
    try:
        with transaction.atomic():
            yield
            raise Rollback
    except Rollback:
        pass


@contextmanager
def fresh_breaker() -> Iterator[None]:
    """Begin and end with a closed breaker: it outlives a test."""
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
    with fresh_breaker(), table_away(StudentModuleHistory, ALIAS):
        yield


@contextmanager
def history_refuses(reason: str) -> Iterator[None]:
    """Make the table of entries reject entries with this reason. Commits, so for TransactionTestCase."""
    vendor = "sqlite" if connections[ALIAS].vendor == "sqlite" else "server"
    names = {"table": StudentModuleHistory._meta.db_table, "reason": reason}
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(REFUSE[vendor].format(**names))
    try:
        yield
    finally:
        with connections[ALIAS].cursor() as cursor:
            cursor.execute(ACCEPT[vendor].format(**names))


@contextmanager
def history_unreachable() -> Iterator[None]:
    """Connect the history alias to a port that no server listens on. Not for SQLite, which has no server."""
    with socket.socket() as closed, fresh_breaker():
        # Bound and not listening: no other process can take the port.
        closed.bind(("127.0.0.1", 0))
        with reconnected(ALIAS, HOST="127.0.0.1", PORT=closed.getsockname()[1]):
            yield


@contextmanager
def reconnected(alias: str, **changes: Any) -> Iterator[None]:
    """Replace the connection of an alias by a new one with other settings, and put the first one back."""
    before, after = connections[alias], connections.create_connection(alias)
    # The pool of an alias would return connections with the first settings.
    options = {name: value for name, value in before.settings_dict["OPTIONS"].items() if name != "pool"}
    after.settings_dict = {**before.settings_dict, "OPTIONS": options, **changes}
    connections[alias] = after
    try:
        yield
    finally:
        after.close()
        connections[alias] = before


@contextmanager
def table_away(model: type[models.Model], alias: str) -> Iterator[None]:
    """Rename the table of a model on a database, and name it back. Commits."""
    table = model._meta.db_table
    _rename(model, alias, table, f"{table}_away")
    try:
        yield
    finally:
        _rename(model, alias, f"{table}_away", table)


def _rename(model: type[models.Model], alias: str, name: str, to: str) -> None:
    with connections[alias].schema_editor() as editor:
        editor.alter_db_table(model, name, to)
