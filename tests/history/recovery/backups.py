"""A backup of `default` that tests restore: rows, pending entries and the next id. It commits."""

from typing import Any

from django.db import connection, models

from history.models import PendingHistory
from kvstore.models import StudentModule
from kvstore.querysets import unguarded

TABLE = StudentModule._meta.db_table

RESET_IDS = {
    "postgresql": f"SELECT setval(pg_get_serial_sequence('{TABLE}', 'id'), %s, false)",
    "mysql": f"ALTER TABLE {TABLE} AUTO_INCREMENT = %s",
    "sqlite": f"UPDATE sqlite_sequence SET seq = %s - 1 WHERE name = '{TABLE}'",  # noqa: S608  a name of this project
}


class Backup:
    """The rows and the pending entries as they are now."""

    def __init__(self) -> None:
        self.rows = stored_rows()
        self.pending = list(PendingHistory.objects.values())

    def restore(self) -> None:
        """Put all of it back, past the store, and the next id with it."""
        unguarded(StudentModule, "default")._raw_delete("default")
        PendingHistory.objects.all().delete()
        for model, values in ((StudentModule, self.rows), (PendingHistory, self.pending)):
            models.QuerySet(model, using="default").bulk_create([model(**columns) for columns in values])
        with connection.cursor() as cursor:
            cursor.execute(RESET_IDS[connection.vendor], [max([row["id"] for row in self.rows], default=0) + 1])


def stored_rows() -> list[dict[str, Any]]:
    """Return every column of every row."""
    return list(unguarded(StudentModule, "default").order_by("pk").values())
