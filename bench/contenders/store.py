"""The store, called as XBlock's runtime calls it."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from opaque_keys.edx.keys import UsageKey

from bench import course
from bench.case import STORE
from bench.contenders.writer import Operation, Writer, by_row
from history.api import Verification, verify
from history.models import StudentModuleHistory
from kvstore.api import DjangoKeyValueStore, DjangoXBlockUserStateClient, FieldDataCache
from kvstore.models import StudentModule
from kvstore.versioning.digests import digest_of


class StoreTables(Writer):
    """Writes to the tables of the store."""

    def fill(self) -> None:
        client = DjangoXBlockUserStateClient(self.learner)
        states = {key: self.shape.state(number) for number, key in enumerate(self.keys)}
        client.set_many(self.learner.username, states)

    def rows(self) -> dict[str, StudentModule]:
        return {str(row.usage_key): row for row in StudentModule.objects.filter(student=self.learner)}

    def entries(self) -> dict[int, list[str]]:
        entries = StudentModuleHistory.objects.filter(student_id=self.learner.pk)
        return by_row(entries.order_by("version").values_list("student_module_id", "state"))

    def check(self, prepare: Callable[[], Operation], blocks: int) -> None:
        super().check(prepare, blocks)
        self.verify()

    def verify(self) -> None:
        """Raise AssertionError if ``history.api.verify`` finds a problem in any row or entry."""
        problems = list(verify(Verification()))
        assert not problems, f"verify found after {self.name} wrote: {problems[:3]}"

    def check_row(self, before: Any, row: Any) -> None:
        super().check_row(before, row)
        assert row.version == before.version + 1, f"{self.name} made version {row.version} of {before.version}."
        entry = StudentModuleHistory.objects.get(student_module_id=row.pk, version=row.version)
        stored = (entry.action, entry.student_id, entry.course_id, entry.module_state_key, entry.created)
        expected = ("changed", row.student_id, row.course_id, row.module_state_key, row.modified)
        assert stored == expected, f"{self.name} wrote a wrong identity into the history: {stored}."
        assert entry.digest == row.digest == digest_of(entry.as_version()), f"{self.name} stored a wrong digest."
        assert entry.previous == before.digest, f"{self.name} did not continue the chain of digests."


class Store(StoreTables):
    """``set`` and ``set_many`` of the KeyValueStore, on a FieldDataCache that contains the blocks, as in a request."""

    name = STORE

    def fill(self) -> None:
        super().fill()
        self.load()

    def load(self) -> None:
        """Create the FieldDataCache of the writing request."""
        blocks = [course.block(key, self.learner.pk) for key in self.keys]
        self.kvs = DjangoKeyValueStore(FieldDataCache(blocks, course.COURSE, self.learner))
        self.field_keys = {key: course.field_key(key, self.learner.pk, course.FIELD) for key in self.keys}

    def one(self, key: UsageKey, value: Any) -> Operation:
        return partial(self.kvs.set, self.field_keys[key], value)

    def many(self, values: Mapping[UsageKey, Any]) -> Operation:
        return partial(self.kvs.set_many, {self.field_keys[key]: value for key, value in values.items()})
