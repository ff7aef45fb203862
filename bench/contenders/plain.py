"""A model's own ``save()``, which keeps nothing of the past, merges nothing and locks nothing."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from opaque_keys.edx.keys import UsageKey

from bench import course
from bench.case import PLAIN
from bench.contenders.writer import Operation, Writer
from bench.models import Module, PlainModule


class OwnTable(Writer):
    """States in the contender's own table."""

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

    def row(self, key: UsageKey) -> Module:
        return self.model.objects.get(student=self.learner, module_state_key=str(key))


class Plain(OwnTable):
    """``save()`` of instances that are in memory already: the least that Django can do to store a state."""

    name = PLAIN
    model = PlainModule
    keeps_history = False

    def fill(self) -> None:
        super().fill()
        self.rows = {key: self.row(key) for key in self.keys}
        self.fields = {key: json.loads(row.state or "{}") for key, row in self.rows.items()}

    def one(self, key: UsageKey, value: Any) -> Operation:
        def save() -> None:
            row, fields = self.rows[key], self.fields[key]
            fields[self.shape.field] = value
            row.state = course.text(fields)
            row.save()

        return save

    def many(self, values: Mapping[UsageKey, Any]) -> Operation:
        saves = [self.one(key, value) for key, value in values.items()]

        def save() -> None:
            for one in saves:
                one()

        return save

    def entries(self, row: Any) -> list[str]:
        return []
