"""Raises the next id of a table above ids that were used before, such as those in the history."""

from typing import Any, NamedTuple

from django.db import connections
from django.db.models import Model


class NextId(NamedTuple):
    """The id of the next row of a table, before and after a recovery."""

    found: int
    raised_to: int


def keep_above(model: type[Model], highest: int, using: str, *, dry_run: bool = False) -> NextId | None:
    """Raise the next id of a model above ``highest``, and never lower it.

    Call it outside of a transaction, because MySQL would commit that. Returns None if the database does not generate
    the ids.
    """
    read, write = DIALECTS[connections[using].vendor]
    table = model._meta.db_table
    with connections[using].cursor() as cursor:
        found = read(cursor, table)
        if found is None:
            return None
        raised = max(found, highest + 1)
        if raised > found and not dry_run:
            write(cursor, table, raised)
    return NextId(found, raised)


def _postgresql_sequence(cursor: Any, table: str) -> str | None:
    cursor.execute("SELECT pg_get_serial_sequence(%s, 'id')", [_quoted(cursor, table)])
    name: str | None = cursor.fetchone()[0]
    return name


def _read_postgresql(cursor: Any, table: str) -> int | None:
    sequence = _postgresql_sequence(cursor, table)
    if sequence is None:
        return None
    cursor.execute(f"SELECT last_value + is_called::int FROM {sequence}")  # noqa: S608  quoted by PostgreSQL
    return int(cursor.fetchone()[0])


def _write_postgresql(cursor: Any, table: str, following: int) -> None:
    sequence = _postgresql_sequence(cursor, table)
    # Another session may have raised it since it was read.
    cursor.execute(
        f"SELECT setval(%s, GREATEST(%s, last_value + is_called::int), false) FROM {sequence}",  # noqa: S608  likewise
        [sequence, following],
    )


def _read_mysql(cursor: Any, table: str) -> int | None:
    if not cursor.db.mysql_is_mariadb:
        # MySQL 8 caches the number for a day by default.
        cursor.execute("SET SESSION information_schema_stats_expiry = 0")
    cursor.execute(
        "SELECT auto_increment FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = %s",
        [table],
    )
    found = cursor.fetchone()[0]
    return 1 if found is None else int(found)


def _write_mysql(cursor: Any, table: str, following: int) -> None:
    cursor.execute(f"ALTER TABLE {_quoted(cursor, table)} AUTO_INCREMENT = {int(following)}")


def _read_sqlite(cursor: Any, table: str) -> int | None:
    cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
    found = cursor.fetchone()
    return 1 if found is None else int(found[0]) + 1


def _write_sqlite(cursor: Any, table: str, following: int) -> None:
    cursor.execute("UPDATE sqlite_sequence SET seq = MAX(seq, %s) WHERE name = %s", [following - 1, table])
    if not cursor.rowcount:
        cursor.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)", [table, following - 1])


def _quoted(cursor: Any, name: str) -> str:
    quoted: str = cursor.db.ops.quote_name(name)
    return quoted


DIALECTS = {
    "postgresql": (_read_postgresql, _write_postgresql),
    "mysql": (_read_mysql, _write_mysql),
    "sqlite": (_read_sqlite, _write_sqlite),
}
