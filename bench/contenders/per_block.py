"""The ancestor's documented algorithm: for each block get or create its row, merge, save the whole row, and on
``post_save`` copy it into the second database."""

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from django.db import transaction
from opaque_keys.edx.keys import UsageKey

from bench import course
from bench.case import PER_BLOCK
from bench.contenders.plain import OwnTable
from bench.contenders.writer import Operation, by_row
from bench.models import PerBlockHistory, PerBlockModule


class PerBlock(OwnTable):
    """Does not lock rows, so writers of one row overwrite each other. Each block has its own transaction."""

    name = PER_BLOCK
    model = PerBlockModule

    def one(self, key: UsageKey, value: Any) -> Operation:
        return self.many({key: value})

    def many(self, values: Mapping[UsageKey, Any]) -> Operation:
        return partial(self.set_many, {str(key): {course.FIELD: value} for key, value in values.items()})

    def set_many(self, states: Mapping[str, Mapping[str, Any]]) -> None:
        for key, fields in states.items():
            row, created = PerBlockModule.objects.get_or_create(
                student_id=self.learner.pk,
                course_id=str(course.COURSE),
                module_state_key=key,
                defaults={"state": course.text(dict(fields)), "module_type": "problem"},
            )
            if not created:
                state = json.loads(row.state or "{}")
                state.update(fields)
                row.state = course.text(state)
                with transaction.atomic():
                    row.save(force_update=True)

    def entries(self) -> dict[int, list[str]]:
        ids = [row.pk for row in self.rows().values()]
        found = PerBlockHistory.objects.filter(student_module_id__in=ids)
        return by_row(found.order_by("pk").values_list("student_module_id", "state"))
