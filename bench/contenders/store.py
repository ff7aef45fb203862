"""The store, as XBlock's runtime uses it."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from opaque_keys.edx.keys import UsageKey

from bench import course
from bench.case import STORE
from bench.contenders.writer import Operation, Writer
from history.models import StudentModuleHistory
from kvstore.api import DjangoKeyValueStore, DjangoXBlockUserStateClient, FieldDataCache
from kvstore.models import StudentModule
from kvstore.versioning.digests import digest_of


class StoreTables(Writer):
    """States in the tables of the store."""

    def fill(self) -> None:
        client = DjangoXBlockUserStateClient(self.learner)
        states = {key: self.shape.state(number) for number, key in enumerate(self.keys)}
        client.set_many(self.learner.username, states)

    def row(self, key: UsageKey) -> StudentModule:
        return StudentModule.objects.get(student=self.learner, module_state_key=key)

    def entries(self, row: StudentModule) -> list[str]:
        found = StudentModuleHistory.objects.filter(student_module_id=row.pk, version__lte=row.version)
        return list(found.order_by("version").values_list("state", flat=True))

    def check_row(self, before: Any, row: Any, entries_before: list[str]) -> None:
        super().check_row(before, row, entries_before)
        assert row.version == before.version + 1, f"{self.name} made version {row.version} of {before.version}."
        entry = StudentModuleHistory.objects.get(student_module_id=row.pk, version=row.version)
        recorded = (entry.action, entry.student_id, entry.course_id, entry.module_state_key, entry.created)
        expected = ("changed", row.student_id, row.course_id, row.module_state_key, row.modified)
        assert recorded == expected, f"{self.name} put a wrong identity into the history: {recorded}."
        assert entry.digest == row.digest == digest_of(entry.as_version()), f"{self.name} stored a wrong digest."
        assert entry.previous == before.digest, f"{self.name} did not continue the chain of digests."


class Store(StoreTables):
    """``set`` and ``set_many`` of the KeyValueStore, on a FieldDataCache that holds the blocks, as in a request."""

    name = STORE

    def fill(self) -> None:
        super().fill()
        self.load()

    def load(self) -> None:
        """Make the FieldDataCache of the request that writes."""
        blocks = [course.block(key, self.learner.pk) for key in self.keys]
        self.kvs = DjangoKeyValueStore(FieldDataCache(blocks, course.COURSE, self.learner))
        self.field_keys = {key: course.field_key(key, self.learner.pk, self.shape.field) for key in self.keys}

    def one(self, key: UsageKey, value: Any) -> Operation:
        return partial(self.kvs.set, self.field_keys[key], value)

    def many(self, values: Mapping[UsageKey, Any]) -> Operation:
        return partial(self.kvs.set_many, {self.field_keys[key]: value for key, value in values.items()})
