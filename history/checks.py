"""System checks of history. docs/reference/checks.md explains each id.

They ask how the project behaves, not what its settings say: a router that is missing, hidden by another
``routers.py`` or placed after a greedy one shows in where an entry would go.
"""

from collections.abc import Collection, Iterator
from typing import Any

from django.conf import settings
from django.core import checks
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections, router
from django.db.migrations.loader import MigrationLoader

from history.conf import APP_LABEL, conf
from history.models import StudentModuleHistory
from kvstore.models import StudentModule

DOCS = "See docs/reference/checks.md#"


def register() -> None:
    """Add the checks to ``manage.py check``; the one that connects needs ``--deploy --database``."""
    for check in (check_alias, check_router, check_migrations_routed, check_autocommit, check_block_types):
        checks.register(check, checks.Tags.compatibility)
    checks.register(check_tables, checks.Tags.database, deploy=True)


def check_alias(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    alias = conf.HISTORY_DATABASE_ALIAS
    if alias in settings.DATABASES:
        return []
    return [
        _error(
            1,
            f"DATABASES has no alias {alias!r} for the history.",
            "Add it, or set HISTORY_DATABASE_ALIAS to one it has.",
        )
    ]


def check_router(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    alias = conf.HISTORY_DATABASE_ALIAS
    actual = {router.db_for_write(StudentModuleHistory), router.db_for_read(StudentModuleHistory)}
    if actual == {alias}:
        return []
    return [
        _error(
            2,
            f"History entries go to {', '.join(sorted(actual - {alias}))}, not to {alias!r}.",
            "Put 'routers.StudentModuleHistoryRouter' first in DATABASE_ROUTERS. If it is there, another routers.py "
            "hides it: import routers and look at its __file__.",
        )
    ]


def check_migrations_routed(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    alias = conf.HISTORY_DATABASE_ALIAS
    allowed = {name for name in settings.DATABASES if router.allow_migrate_model(name, StudentModuleHistory)}
    wrong = sorted(allowed - {alias})
    if alias in settings.DATABASES and alias not in allowed:
        wrong.append(f"not {alias}")
    foreign = alias != DEFAULT_DB_ALIAS and router.allow_migrate_model(alias, StudentModule)
    if not wrong and not foreign:
        return []
    where = f"on {', '.join(wrong)}" if wrong else f"with those of other apps on {alias}"
    return [
        _error(
            3,
            f"The migrations of the history would run {where}.",
            "Put 'routers.StudentModuleHistoryRouter' before routers that answer allow_migrate for every app.",
        )
    ]


def check_autocommit(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    alias = conf.HISTORY_DATABASE_ALIAS
    options = settings.DATABASES.get(alias, {})
    if alias == DEFAULT_DB_ALIAS or (not options.get("ATOMIC_REQUESTS") and options.get("AUTOCOMMIT", True)):
        return []
    return [
        _error(
            5,
            f"DATABASES[{alias!r}] wraps requests in transactions; an entry could be lost after its state was stored.",
            "Remove ATOMIC_REQUESTS and AUTOCOMMIT from that alias: every entry commits by itself.",
        )
    ]


def check_block_types(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    types = conf.HISTORY_BLOCK_TYPES
    if types == "*" or (not isinstance(types, str) and all(isinstance(name, str) for name in types)):
        return []
    return [
        _error(
            7,
            f"HISTORY_BLOCK_TYPES is {types!r}, which would be read letter by letter.",
            "Make it a list of block types, such as ['problem'], or '*' for all.",
        )
    ]


def check_tables(
    app_configs: Any, databases: Collection[str] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """Connects to the history database, so it runs only for ``check --deploy --database <its alias>``."""
    alias = conf.HISTORY_DATABASE_ALIAS
    if alias not in (databases or ()) or alias not in settings.DATABASES:
        return []
    try:
        missing = list(_missing(alias))
    except DatabaseError as error:
        return [
            _error(
                6,
                f"The history database {alias!r} cannot be reached: {error}",
                "Check its settings and server.",
            )
        ]
    if not missing:
        return []
    return [
        _error(
            4,
            f"The history database {alias!r} is not migrated: {', '.join(missing)}.",
            f"Run `manage.py migrate --database {alias}`. If it was migrated before the router was in place, first run "
            f"`manage.py migrate --database {alias} --fake {APP_LABEL} zero`.",
        )
    ]


def _missing(alias: str) -> Iterator[str]:
    connection = connections[alias]
    loader = MigrationLoader(connection)
    for label, name in loader.graph.leaf_nodes(APP_LABEL):
        if (label, name) not in loader.applied_migrations:
            yield f"migration {label}.{name} was not run"
    table = StudentModuleHistory._meta.db_table
    if table not in connection.introspection.table_names():
        yield f"table {table} is not there"


def _error(number: int, message: str, hint: str) -> checks.Error:
    name = f"history.E{number:03}"
    return checks.Error(message, hint=f"{hint} {DOCS}{name.lower().replace('.', '-')}", id=name)
