"""Creates the benchmark's databases, empties them between cases, and drops them at the end."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.apps import apps
from django.core.management.color import no_style
from django.db import DEFAULT_DB_ALIAS, connections, router
from django.test.utils import override_settings

from bench.drivers import driver
from bench.settings import HISTORY

ALIASES = (DEFAULT_DB_ALIAS, HISTORY)

# Connections outside Django's registry. A database cannot be dropped while one of them is open.
_opened: list[Any] = []


def vendor() -> str:
    """Return ``postgresql``, ``mysql`` or ``sqlite``."""
    return str(connections[DEFAULT_DB_ALIAS].vendor)


def product() -> str:
    """Return the vendor, or ``mariadb`` for MariaDB."""
    if vendor() != "mysql":
        return vendor()
    return "mariadb" if connections[DEFAULT_DB_ALIAS].mysql_is_mariadb else "mysql"


def label() -> str:
    """Return the name of the result files: the product, on PostgreSQL followed by the driver."""
    return f"{product()}-{driver()}" if vendor() == "postgresql" else product()


@contextmanager
def created(aliases: Sequence[str] = ALIASES) -> Iterator[None]:
    """Create and migrate the databases of these aliases, replacing those of an aborted run; drop them at the end."""
    names = {alias: connections[alias].settings_dict["NAME"] for alias in aliases}
    try:
        for alias in aliases:
            connections[alias].creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
        yield
    finally:
        close_driver_connections()
        for alias in aliases:
            _drop(alias, names[alias])


@contextmanager
def histories(aliases: Sequence[str]) -> Iterator[None]:
    """Create additional history databases; drop them at the end."""
    names = {alias: connections[alias].settings_dict["NAME"] for alias in aliases}
    try:
        for alias in aliases:
            with kept_in(alias):
                connections[alias].creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
        yield
    finally:
        for alias in aliases:
            _drop(alias, names[alias])


def kept_in(alias: str) -> Any:
    """Return a context in which the store writes its history to the database of ``alias``."""
    return override_settings(HISTORY_DATABASE_ALIAS=alias)


def clear() -> None:
    """Empty the tables of the store, of the contenders and of their learners."""
    close_driver_connections()
    for alias in ALIASES:
        connection = connections[alias]
        tables = [
            model._meta.db_table
            for label in ("bench", "xblock_kvstore", "xblock_history", "auth")
            for model in apps.get_app_config(label).get_models()
            if router.allow_migrate_model(alias, model) and model._meta.object_name not in ("Permission", "Group")
        ]
        statements = connection.ops.sql_flush(no_style(), tables, reset_sequences=True, allow_cascade=True)
        connection.ops.execute_sql_flush(statements)


def names() -> dict[str, str]:
    """Return the current names of the databases, to pass to another process."""
    return {alias: str(connections[alias].settings_dict["NAME"]) for alias in connections}


def use(named: Mapping[str, str]) -> None:
    """Use the databases that another process created."""
    for alias, name in named.items():
        connections[alias].settings_dict["NAME"] = name


def settle(aliases: Sequence[str] = ALIASES) -> None:
    """Update statistics, vacuum and checkpoint now, so that the servers do not do it during the measurement."""
    for alias in aliases:
        with connections[alias].cursor() as cursor:
            for statement in SETTLING[connections[alias].vendor]:
                cursor.execute(statement)
            if connections[alias].vendor == "mysql":
                tables = ", ".join(connections[alias].introspection.table_names(cursor))
                cursor.execute(f"ANALYZE TABLE {tables}")
                cursor.fetchall()


SETTLING = {
    "postgresql": ["VACUUM (ANALYZE)", "CHECKPOINT"],
    "mysql": [],
    "sqlite": ["ANALYZE", "PRAGMA wal_checkpoint(TRUNCATE)"],
}


def driver_connection(alias: str) -> Any:
    """Return a driver connection, opened with Django's connection parameters and session settings."""
    wrapper = connections[alias].copy()
    wrapper.ensure_connection()
    _opened.append(wrapper.connection)
    return wrapper.connection


def close_driver_connections() -> None:
    """Close the connections that :func:`driver_connection` opened."""
    while _opened:
        _opened.pop().close()


def _drop(alias: str, name: str) -> None:
    connection = connections[alias]
    made = connection.settings_dict["NAME"]
    if made == name:
        return
    connection.creation.destroy_test_db(name, verbosity=0)
    if connection.vendor == "sqlite":
        for ending in ("-wal", "-shm"):
            Path(f"{made}{ending}").unlink(missing_ok=True)
