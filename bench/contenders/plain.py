"""A model's ``save()``, without a history, a merge or a lock."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from opaque_keys.edx.keys import UsageKey

from bench import course
from bench.case import PLAIN
from bench.contenders.writer import Operation, Writer
from bench.models import Module, PlainModule


class OwnTable(Writer):
    """Writes to a table of the contender instead of the store's tables."""

    model: ClassVar[type[Module]]

    def fill(self) -> None:
        for number, key in enumerate(self.keys):
            self.model(
                student=self.learner,
                course_id=str(course.COURSE),
                module_state_key=str(key),
                module_type="problem",
                state=course.text(self.shape.state(number)),
            ).save()

    def rows(self) -> dict[str, Module]:
        return {row.module_state_key: row for row in self.model.objects.filter(student=self.learner)}


class Plain(OwnTable):
    """Saves instances that are already in memory: the minimum for Django to store a state."""

    name = PLAIN
    model = PlainModule
    keeps_history = False

    def fill(self) -> None:
        super().fill()
        stored = self.rows()
        self.instances = {key: stored[str(key)] for key in self.keys}
        self.fields = {key: json.loads(row.state or "{}") for key, row in self.instances.items()}

    def one(self, key: UsageKey, value: Any) -> Operation:
        def save() -> None:
            row, fields = self.instances[key], self.fields[key]
            fields[course.FIELD] = value
            row.state = course.text(fields)
            row.save()

        return save

    def many(self, values: Mapping[UsageKey, Any]) -> Operation:
        saves = [self.one(key, value) for key, value in values.items()]

        def save() -> None:
            for one in saves:
                one()

        return save

    def entries(self) -> dict[int, list[str]]:
        return {}
