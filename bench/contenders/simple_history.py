"""django-simple-history, with its historical rows routed to the second database."""

from collections.abc import Mapping
from typing import Any

from opaque_keys.edx.keys import UsageKey
from simple_history.utils import bulk_update_with_history

from bench import course
from bench.case import SIMPLE_HISTORY
from bench.contenders.plain import Plain
from bench.contenders.writer import Operation, by_row
from bench.models import SimpleHistoryModule


class SimpleHistory(Plain):
    """Saves instances that are already in memory; several blocks are several ``save()`` calls."""

    name = SIMPLE_HISTORY
    model = SimpleHistoryModule
    keeps_history = True

    def entries(self) -> dict[int, list[str]]:
        found = SimpleHistoryModule.history.filter(student_id=self.learner.pk)
        return by_row(found.order_by("history_id").values_list("id", "state"))


class SimpleHistoryInBulk(SimpleHistory):
    """Writes many rows with ``bulk_update_with_history``, a function of the package."""

    name = f"{SIMPLE_HISTORY}, in bulk"

    def many(self, values: Mapping[UsageKey, Any]) -> Operation:
        def save() -> None:
            now = course.now()
            for key, value in values.items():
                self.fields[key][course.FIELD] = value
                self.instances[key].state = course.text(self.fields[key])
                self.instances[key].modified = now
            rows = [self.instances[key] for key in values]
            bulk_update_with_history(rows, SimpleHistoryModule, ["state", "modified"])

        return save
