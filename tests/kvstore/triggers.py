"""A trigger by which the database refuses a certain text, so that a real write fails."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from django.db import connection, models

REFUSED = "refuse me"
WHEN = f"NEW.{{column}} LIKE '%{REFUSED}%'"

CREATE = {
    "sqlite": (
        "CREATE TRIGGER {name} BEFORE {event} ON {table} WHEN " + WHEN + " BEGIN SELECT RAISE(ABORT, 'refused'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION {name}() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$ LANGUAGE plpgsql",
        "CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW WHEN (" + WHEN + ") EXECUTE FUNCTION {name}()",
    ),
    "mysql": (
        "CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW BEGIN IF "
        + WHEN
        + " THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'refused'; END IF; END",
    ),
}
DROP = {
    "sqlite": "DROP TRIGGER {name}",
    "postgresql": "DROP FUNCTION {name} CASCADE",
    "mysql": "DROP TRIGGER {name}",
}


@contextmanager
def refusing(model: type[models.Model], column: str) -> Iterator[None]:
    """Make the database refuse rows of the model with REFUSED in the column, inside the block.

    Not in a transaction: MySQL commits an open transaction when a trigger is created.
    """
    with ExitStack() as stack:
        for event in ("INSERT", "UPDATE"):
            names = {
                "name": f"refuse_{model._meta.model_name}_{event.lower()}",
                "event": event,
                "table": model._meta.db_table,
                "column": column,
            }
            _execute(*(statement.format(**names) for statement in CREATE[connection.vendor]))
            stack.callback(_execute, DROP[connection.vendor].format(**names))
        yield


def _execute(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
