"""Asks the database for the privileges of a connection's role to change or remove entries.

Writes nothing and reads no entries. Databases without roles, such as SQLite, are not supported.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.db import OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from history.models import StudentModuleHistory

TABLE = StudentModuleHistory._meta.db_table

POSTGRESQL = """
SELECT current_user, has_any_column_privilege(%(table)s, 'UPDATE'), has_table_privilege(%(table)s, 'DELETE'),
    has_table_privilege(%(table)s, 'TRUNCATE')
"""
MYSQL_COLUMNS = """
SELECT CURRENT_USER(), COALESCE(MAX(FIND_IN_SET('update', PRIVILEGES) > 0), 0)
FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s
"""
MYSQL_TABLE_ACCESS_DENIED = 1142
# One line of SHOW GRANTS on MySQL. A line that grants a role has no "ON".
MYSQL_GRANT = re.compile(r"GRANT (?P<privileges>.+) ON (?P<database>\*|[`\"].+[`\"])\.(?P<table>\*|[`\"].+[`\"]) TO ")


@dataclass(frozen=True)
class Privileges:
    """A role of a database."""

    role: str
    excessive: tuple[str, ...]
    """its privileges to change or remove entries"""


def privileges(alias: str) -> Privileges | None:
    """Return the privileges of a connection's role, None if the database has no roles.

    The table of entries must exist. Raises the error of the database.
    """
    connection = connections[alias]
    ask = ASK.get(connection.vendor)
    return ask(connection) if ask else None


def _ask_postgresql(connection: BaseDatabaseWrapper) -> Privileges:
    with connection.cursor() as cursor:
        cursor.execute(POSTGRESQL, {"table": connection.ops.quote_name(TABLE)})
        role, *granted = cursor.fetchone()
    names = ("UPDATE", "DELETE", "TRUNCATE")
    return Privileges(role, tuple(name for name, held in zip(names, granted, strict=True) if held))


def _ask_mysql(connection: BaseDatabaseWrapper) -> Privileges:
    with connection.cursor() as cursor:
        cursor.execute(MYSQL_COLUMNS, [TABLE])
        role, may_update = cursor.fetchone()
        held = {"UPDATE": may_update, "DELETE": _may_delete(cursor), "DROP": _may_drop(cursor)}
    return Privileges(role, tuple(name for name in held if held[name]))


def _may_delete(cursor: CursorWrapper) -> bool:
    # EXPLAIN needs the privileges of the statement and does not run it. SHOW GRANTS is not sufficient: it omits a grant
    # on the database to the same user name at another host, although the grant is effective.
    try:
        cursor.execute(f"EXPLAIN DELETE FROM {TABLE} WHERE 1 = 0")  # noqa: S608  the model's name
    except OperationalError as error:
        if error.args[0] != MYSQL_TABLE_ACCESS_DENIED:
            raise
        return False
    return True


def _may_drop(cursor: CursorWrapper) -> bool:
    """Return whether the role may TRUNCATE, which needs DROP. EXPLAIN does not support TRUNCATE."""
    cursor.execute("SHOW GRANTS")
    patterns = [pattern for (line,) in cursor.fetchall() for pattern in _databases_of_drop(line)]
    for pattern in patterns:
        cursor.execute("SELECT DATABASE() LIKE %s", [pattern])
        if cursor.fetchone()[0]:
            return True
    return False


def _databases_of_drop(line: str) -> Iterator[str]:
    """Yield the pattern of the databases where a line of SHOW GRANTS grants DROP on the table of entries."""
    grant = MYSQL_GRANT.match(line)
    if grant is None or not {"DROP", "ALL PRIVILEGES"} & set(grant["privileges"].split(", ")):
        return
    database, table = (grant[name].strip('`"') for name in ("database", "table"))
    if table in ("*", TABLE):
        yield "%" if database == "*" else database


ASK: dict[str, Callable[[BaseDatabaseWrapper], Privileges]] = {"postgresql": _ask_postgresql, "mysql": _ask_mysql}
