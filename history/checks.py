"""System checks of history. docs/reference/checks.md explains each id.

They ask how the project behaves, not what its settings say: a router that is missing, hidden by another
``routers.py`` or placed after a greedy one shows in where an entry would go.
"""

import re
from collections.abc import Collection, Iterator
from typing import Any

from django.conf import settings
from django.core import checks
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections, router
from django.db.migrations.loader import MigrationLoader

from history.conf import APP_LABEL, conf
from history.database.privileges import privileges
from history.models import PendingHistory, StudentModuleHistory
from history.recording.erasure import ERASE
from history.recording.health import backlog
from kvstore.models import StudentModule

DOCS = "See docs/reference/checks.md#"

# Not HTTP_X_REQUEST_ID: that is how request.META names the header.
HEADER_NAME = re.compile(r"[A-Za-z0-9-]+")


def register() -> None:
    """Add the checks to ``manage.py check``; the one that connects needs ``--deploy --database``."""
    for check in (
        check_alias,
        check_router,
        check_migrations_routed,
        check_autocommit,
        check_block_types,
        check_request_id_header,
    ):
        checks.register(check, checks.Tags.compatibility)
    for check in (check_tables, check_waiting_table, check_waiting_age, check_privileges):
        checks.register(check, checks.Tags.database, deploy=True)


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
    if alias not in settings.DATABASES:
        return []
    allowed = {name for name in settings.DATABASES if router.allow_migrate_model(name, StudentModuleHistory)}
    if alias == DEFAULT_DB_ALIAS:
        # One database: its replicas, where the project lets migrations run there, are the project's matter.
        allowed -= {name for name in settings.DATABASES if name != alias and _takes_state(name)}
    problems = [f"would run on {name!r} too" for name in sorted(allowed - {alias})]
    if alias not in allowed:
        problems.append(f"would not run on {alias!r}")
    if alias != DEFAULT_DB_ALIAS and _takes_state(alias):
        problems.append(f"would run beside those of other apps on {alias!r}")
    if not problems:
        return []
    return [
        _error(
            3,
            f"The migrations of the history {' and '.join(problems)}.",
            "Put 'routers.StudentModuleHistoryRouter' before routers that answer allow_migrate for every app.",
        )
    ]


def _takes_state(alias: str) -> bool:
    return bool(router.allow_migrate_model(alias, StudentModule))


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
    types: Any = conf.HISTORY_BLOCK_TYPES
    if types == "*" or (
        isinstance(types, Collection) and not isinstance(types, str) and all(isinstance(name, str) for name in types)
    ):
        return []
    why = "would be read letter by letter" if isinstance(types, str) else "is no list of names"
    return [
        _error(
            7,
            f"HISTORY_BLOCK_TYPES is {types!r}, which {why}.",
            "Make it a list of block types, such as ['problem'], or '*' for all.",
        )
    ]


def check_request_id_header(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Under a name that no header has, every request would get a generated id, without an error."""
    name: Any = conf.HISTORY_REQUEST_ID_HEADER
    if name is None or (isinstance(name, str) and HEADER_NAME.fullmatch(name)):
        return []
    return [
        _error(
            9,
            f"HISTORY_REQUEST_ID_HEADER is {name!r}, which is not the name of a request header.",
            "Write it as the proxy sends it, such as 'X-Request-ID', or set it to None.",
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
            _how_to_migrate(alias),
        )
    ]


def check_waiting_table(
    app_configs: Any, databases: Collection[str] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """Without its table a write during an outage fails. Connects, so it runs only with the state's ``--database``."""
    alias = router.db_for_write(PendingHistory)
    if (
        alias not in (databases or ())
        or PendingHistory._meta.db_table in connections[alias].introspection.table_names()
    ):
        return []
    return [
        _error(
            8,
            f"{alias!r} has no table for the entries that wait while the history database is down.",
            f"Run `manage.py migrate --database {alias}`.",
        )
    ]


def check_waiting_age(
    app_configs: Any, databases: Collection[str] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """Entries that wait too long mean that nobody delivers them."""
    alias = router.db_for_write(PendingHistory)
    if alias not in (databases or ()) or check_waiting_table(None, databases):
        return []
    found = backlog()
    if not found.overdue:
        return []
    return [
        checks.Warning(
            f"{found.pending} history entries wait for delivery, the oldest since {found.oldest_pending}.",
            hint=f"Run `manage.py deliver_history`, or leave it running with --watch. {DOCS}history-w001",
            id="history.W001",
        )
    ]


def check_privileges(
    app_configs: Any, databases: Collection[str] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """The append-only guards in Python do not bind other clients of the role. Needs the table, so E004 comes first."""
    alias = conf.HISTORY_DATABASE_ALIAS
    if alias not in (databases or ()) or alias not in settings.DATABASES or check_tables(None, databases):
        return []
    try:
        found = privileges(alias)
    except DatabaseError as error:
        return [_too_many_privileges(alias, f"The privileges on {alias!r} cannot be determined: {error}")]
    # Erasure removes entries in the process that deletes the row.
    needed = {"DELETE"} if conf.HISTORY_ON_DELETE == ERASE else set()
    if found is None or not (excessive := [name for name in found.excessive if name not in needed]):
        return []
    message = f"The role {found.role!r} of the history database {alias!r} may change or remove entries: it has "
    return [_too_many_privileges(alias, f"{message}{', '.join(excessive)}.")]


def _too_many_privileges(alias: str, message: str) -> checks.Warning:
    hint = "Connect the web processes with a role that has only SELECT and INSERT in this database."
    if alias == DEFAULT_DB_ALIAS:
        hint = (
            f"Connect the web processes with a role that has only SELECT and INSERT on "
            f"{StudentModuleHistory._meta.db_table}: GRANT its other privileges table by table, not on all tables."
        )
    return checks.Warning(message, hint=f"{hint} {DOCS}history-w002", id="history.W002")


def _missing(alias: str) -> Iterator[str]:
    connection = connections[alias]
    loader = MigrationLoader(connection)
    for label, name in loader.graph.leaf_nodes(APP_LABEL):
        if (label, name) not in loader.applied_migrations:
            yield f"migration {label}.{name} was not run"
    table = StudentModuleHistory._meta.db_table
    if table not in connection.introspection.table_names():
        yield f"table {table} is not there"


def _how_to_migrate(alias: str) -> str:
    if alias != DEFAULT_DB_ALIAS:
        return (
            f"Run `manage.py migrate --database {alias}`. If it was migrated before the router was in place, first run "
            f"`manage.py migrate --database {alias} --fake {APP_LABEL} zero`."
        )
    # The table of waiting entries is there from that time, and must really go for both to be made.
    return (
        "Run `manage.py migrate`. If it was migrated while the history was in another database: let nobody write, name "
        "that database in HISTORY_DATABASE_ALIAS again, run `manage.py deliver_history` and "
        f"`manage.py migrate {APP_LABEL} zero`, name {alias!r}, and run `manage.py migrate`. The entries stay where "
        "they are unless you copy them."
    )


def _error(number: int, message: str, hint: str) -> checks.Error:
    name = f"history.E{number:03}"
    return checks.Error(message, hint=f"{hint} {DOCS}{name.lower().replace('.', '-')}", id=name)
