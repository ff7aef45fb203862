"""django-simple-history, its historical rows routed to the second database."""

from collections.abc import Mapping
from typing import Any

from opaque_keys.edx.keys import UsageKey
from simple_history.utils import bulk_update_with_history

from bench import course
from bench.case import SIMPLE_HISTORY
from bench.contenders.plain import Plain
from bench.contenders.writer import Operation
from bench.models import SimpleHistoryModule


class SimpleHistory(Plain):
    """``save()`` of instances that are in memory already; many at once as its documentation describes."""

    name = SIMPLE_HISTORY
    model = SimpleHistoryModule
    keeps_history = True

    def entries(self, row: Any) -> list[str]:
        return list(row.history.order_by("history_id").values_list("state", flat=True))


class SimpleHistoryInBulk(SimpleHistory):
    """``bulk_update_with_history``, the package's own way to write many rows."""

    name = f"{SIMPLE_HISTORY}, in bulk"

    def many(self, values: Mapping[UsageKey, Any]) -> Operation:
        def save() -> None:
            now = course.now()
            for key, value in values.items():
                self.fields[key][self.shape.field] = value
                self.rows[key].state = course.text(self.fields[key])
                self.rows[key].modified = now
            rows = [self.rows[key] for key in values]
            bulk_update_with_history(rows, SimpleHistoryModule, ["state", "modified"])

        return save
