"""System checks of history. docs/reference/checks.md explains each id.

The checks test the behaviour of the project, not its settings: the routers are asked where an entry would be written,
so a router that is missing, shadowed by another ``routers.py`` or placed after a greedy one is found.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from django.conf import settings
from django.core import checks
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections, router
from django.db.migrations.loader import MigrationLoader
from django.utils.module_loading import import_string

from history.conf import APP_LABEL, conf
from history.database.privileges import privileges
from history.models import PendingHistory, StudentModuleHistory
from history.recording.erasure import ERASE
from history.recording.health import backlog
from kvstore.models import StudentModule
from kvstore.staff.dates import format_moment

Messages = Iterator[checks.CheckMessage]

DOCS = "See docs/reference/checks.md#"
TABLE = StudentModuleHistory._meta.db_table

# Not HTTP_X_REQUEST_ID, the name of the header in request.META.
HEADER_NAME = re.compile(r"[A-Za-z0-9-]+")

# The characters that RFC 6750 allows in a bearer token. A short token can be guessed.
TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{20,}=*")


def register() -> None:
    """Register the checks. Those of the second group connect, so they need ``check --deploy --database <alias>``."""
    for check in (
        check_alias,
        check_router,
        check_migrations_routed,
        check_autocommit,
        check_block_types,
        check_request_id_header,
        check_answer_formatters,
        check_monitoring_token,
    ):
        checks.register(check, checks.Tags.compatibility)
    for check in (check_tables, check_pending_table, check_pending_age, check_privileges):
        checks.register(check, checks.Tags.database, deploy=True)


def check_alias(app_configs: Any, **kwargs: Any) -> Messages:
    alias = conf.HISTORY_DATABASE_ALIAS
    if alias not in settings.DATABASES:
        hint = "Add it, or set HISTORY_DATABASE_ALIAS to an existing alias."
        yield _error(1, f"DATABASES has no alias {alias!r} for the history.", hint)


def check_router(app_configs: Any, **kwargs: Any) -> Messages:
    alias = conf.HISTORY_DATABASE_ALIAS
    others = {router.db_for_write(StudentModuleHistory), router.db_for_read(StudentModuleHistory)} - {alias}
    if others:
        hint = (
            "Put 'routers.StudentModuleHistoryRouter' first in DATABASE_ROUTERS. If it is first, Python imports "
            "another module named routers: print routers.__file__."
        )
        yield _error(2, f"History entries go to {', '.join(sorted(others))}, not to {alias!r}.", hint)


def check_migrations_routed(app_configs: Any, **kwargs: Any) -> Messages:
    alias = conf.HISTORY_DATABASE_ALIAS
    if alias not in settings.DATABASES:
        return
    allowed = {name for name in settings.DATABASES if router.allow_migrate_model(name, StudentModuleHistory)}
    if alias == DEFAULT_DB_ALIAS:
        # With one database, the project may also allow migrations on replicas.
        allowed -= {name for name in settings.DATABASES if name != alias and _has_state(name)}
    problems = [f"would run on {name!r} too" for name in sorted(allowed - {alias})]
    if alias not in allowed:
        problems.append(f"would not run on {alias!r}")
    if alias != DEFAULT_DB_ALIAS and _has_state(alias):
        problems.append(f"would run together with those of other apps on {alias!r}")
    if problems:
        hint = "Put 'routers.StudentModuleHistoryRouter' before routers that answer allow_migrate for every app."
        yield _error(3, f"The migrations of the history {' and '.join(problems)}.", hint)


def check_autocommit(app_configs: Any, **kwargs: Any) -> Messages:
    alias = conf.HISTORY_DATABASE_ALIAS
    options = settings.DATABASES.get(alias, {})
    if alias != DEFAULT_DB_ALIAS and (options.get("ATOMIC_REQUESTS") or not options.get("AUTOCOMMIT", True)):
        message = f"DATABASES[{alias!r}] wraps requests in transactions: a state could commit without its entry."
        yield _error(5, message, "Remove ATOMIC_REQUESTS and AUTOCOMMIT from that alias. Each entry commits by itself.")


def check_block_types(app_configs: Any, **kwargs: Any) -> Messages:
    types: Any = conf.HISTORY_BLOCK_TYPES
    is_collection = isinstance(types, Collection) and not isinstance(types, str)
    if types == "*" or (is_collection and all(isinstance(name, str) for name in types)):
        return
    problem = "would be read as a collection of letters" if isinstance(types, str) else "is not a list of names"
    hint = "Set it to a list of block types, such as ['problem'], or '*' for all."
    yield _error(7, f"HISTORY_BLOCK_TYPES is {types!r}, which {problem}.", hint)


def check_request_id_header(app_configs: Any, **kwargs: Any) -> Messages:
    """A name that no header has would give every request a generated id, without an error."""
    name: Any = conf.HISTORY_REQUEST_ID_HEADER
    if name is not None and not (isinstance(name, str) and HEADER_NAME.fullmatch(name)):
        message = f"HISTORY_REQUEST_ID_HEADER is {name!r}, which is not the name of a request header."
        yield _error(9, message, "Write it as the proxy sends it, such as 'X-Request-ID', or set it to None.")


def check_answer_formatters(app_configs: Any, **kwargs: Any) -> Messages:
    """A wrong path would only be logged: no page would show an answer."""
    for problem in _wrong_formatters(conf.HISTORY_ANSWER_FORMATTERS):
        hint = "Map block types to dotted paths of functions, such as {'problem': 'school.answers.of_problem'}."
        yield _error(10, f"HISTORY_ANSWER_FORMATTERS{problem}.", hint)


def check_monitoring_token(app_configs: Any, **kwargs: Any) -> Messages:
    """Does not print the token."""
    token: Any = conf.HISTORY_MONITORING_TOKEN
    if token is not None and not (isinstance(token, str) and TOKEN.fullmatch(token)):
        message = "HISTORY_MONITORING_TOKEN is not a bearer token of at least 20 letters, digits and ._~+/-."
        hint = 'Generate it with `python -c "import secrets; print(secrets.token_urlsafe(32))"`, or set it to None.'
        yield _error(11, message, hint)


def check_tables(app_configs: Any, databases: Collection[str] | None = None, **kwargs: Any) -> Messages:
    alias = conf.HISTORY_DATABASE_ALIAS
    if alias not in (databases or ()) or alias not in settings.DATABASES:
        return
    try:
        missing = list(_missing(alias))
    except DatabaseError as error:
        message = f"The history database {alias!r} cannot be reached: {error}"
        yield _error(6, message, "Check its settings and server.")
        return
    if missing:
        message = f"The history database {alias!r} is not migrated: {', '.join(missing)}."
        yield _error(4, message, _how_to_migrate(alias))


def check_pending_table(app_configs: Any, databases: Collection[str] | None = None, **kwargs: Any) -> Messages:
    """Without this table, a write fails while the history database is down."""
    alias = router.db_for_write(PendingHistory)
    if alias in (databases or ()) and not _has_table(alias, PendingHistory._meta.db_table):
        yield _error(8, f"{alias!r} has no table for pending entries.", f"Run `manage.py migrate --database {alias}`.")


def check_pending_age(app_configs: Any, databases: Collection[str] | None = None, **kwargs: Any) -> Messages:
    """Overdue entries show that no delivery runs."""
    if router.db_for_write(PendingHistory) not in (databases or ()) or any(check_pending_table(None, databases)):
        return
    pending = backlog()
    if pending.overdue and pending.oldest_pending:
        yield checks.Warning(
            f"{pending.pending} history entries are pending, the oldest since {format_moment(pending.oldest_pending)}.",
            hint=f"Run `manage.py deliver_history`, or keep it running with --watch. {DOCS}history-w001",
            id="history.W001",
        )


def check_privileges(app_configs: Any, databases: Collection[str] | None = None, **kwargs: Any) -> Messages:
    """The guards in Python do not apply to other clients of the role. Needs the table, so E004 comes first."""
    alias = conf.HISTORY_DATABASE_ALIAS
    if alias not in (databases or ()) or alias not in settings.DATABASES or any(check_tables(None, databases)):
        return
    try:
        role = privileges(alias)
    except DatabaseError as error:
        yield _too_many_privileges(alias, f"The privileges on {alias!r} cannot be determined: {error}")
        return
    # Erasure removes entries in the process that deletes the row.
    needed = {"DELETE"} if conf.HISTORY_ON_DELETE == ERASE else set()
    if role and (excessive := [name for name in role.excessive if name not in needed]):
        message = f"The role {role.role!r} of the history database {alias!r} may change or remove entries: it has "
        yield _too_many_privileges(alias, f"{message}{', '.join(excessive)}.")


def _wrong_formatters(formatters: Any) -> Iterator[str]:
    if not isinstance(formatters, Mapping):
        yield f" is {formatters!r}, which is not a dict"
        return
    for block_type, path in formatters.items():
        try:
            if not callable(import_string(path)):
                yield f"[{block_type!r}] is {path!r}, which is not a function"
        except (AttributeError, ImportError) as error:
            yield f"[{block_type!r}] is {path!r}, which cannot be imported: {error}"


def _too_many_privileges(alias: str, message: str) -> checks.Warning:
    hint = "Connect the web processes with a role that has only SELECT and INSERT in this database."
    if alias == DEFAULT_DB_ALIAS:
        hint = (
            f"Connect the web processes with a role that has only SELECT and INSERT on {TABLE}: GRANT its other "
            "privileges table by table, not on all tables."
        )
    return checks.Warning(message, hint=f"{hint} {DOCS}history-w002", id="history.W002")


def _has_state(alias: str) -> bool:
    return bool(router.allow_migrate_model(alias, StudentModule))


def _has_table(alias: str, table: str) -> bool:
    return table in connections[alias].introspection.table_names()


def _missing(alias: str) -> Iterator[str]:
    loader = MigrationLoader(connections[alias])
    for label, name in loader.graph.leaf_nodes(APP_LABEL):
        if (label, name) not in loader.applied_migrations:
            yield f"migration {label}.{name} is not applied"
    if not _has_table(alias, TABLE):
        yield f"table {TABLE} does not exist"


def _how_to_migrate(alias: str) -> str:
    if alias != DEFAULT_DB_ALIAS:
        return (
            f"Run `manage.py migrate --database {alias}`. If it was migrated before the router was installed, first "
            f"run `manage.py migrate --database {alias} --fake {APP_LABEL} zero`."
        )
    # The table of pending entries exists already and must be dropped, so that both tables can be created.
    return (
        "Run `manage.py migrate`. If it was migrated while the history was in another database: stop all writes, set "
        "HISTORY_DATABASE_ALIAS to that database again, run `manage.py deliver_history` and `manage.py migrate "
        f"{APP_LABEL} zero`, set it to {alias!r}, and run `manage.py migrate`. The entries stay in that database "
        "unless you copy them."
    )


def _error(number: int, message: str, hint: str) -> checks.Error:
    name = f"history.E{number:03}"
    return checks.Error(message, hint=f"{hint} {DOCS}{name.lower().replace('.', '-')}", id=name)
