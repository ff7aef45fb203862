"""The base class of contenders that write, with the check of their guarantees."""

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count
from typing import Any, ClassVar

from django.db import transaction
from opaque_keys.edx.keys import UsageKey

from bench import course
from bench.case import Contender

Operation = Callable[[], Any]


class Writer(ABC):
    """Writes the rows of one learner for these blocks, and reads them back for the check."""

    name: str
    keeps_history: ClassVar[bool] = True

    def __init__(self, keys: Sequence[UsageKey], shape: course.Shape = course.LONG) -> None:
        self.keys = keys
        self.shape = shape
        self.turns = count(len(keys))
        self.learner = course.learner()
        self.fill()

    @abstractmethod
    def fill(self) -> None:
        """Store a state of every block, as version 1."""

    @abstractmethod
    def one(self, key: UsageKey, value: Any) -> Operation:
        """Return the operation that writes the field of one block."""

    @abstractmethod
    def many(self, values: Mapping[UsageKey, Any]) -> Operation:
        """Return the operation that writes the field of many blocks."""

    def in_transaction(self, operation: Operation) -> Operation:
        """Return an operation that runs another one inside ``atomic()`` on ``default``."""

        def run() -> None:
            with transaction.atomic():
                operation()

        return run

    @abstractmethod
    def rows(self) -> dict[str, Any]:
        """Read the rows and return them by usage key as text."""

    @abstractmethod
    def entries(self) -> dict[int, list[str]]:
        """Return the states in the history by row id, oldest first; empty without a history."""

    def next_one(self) -> Operation:
        """Return an operation on one block. It writes a new value, because the store skips unchanged values."""
        turn = next(self.turns)
        return self.one(self.keys[turn % len(self.keys)], self.value(turn))

    def next_many(self) -> Operation:
        """Return an operation on all blocks."""
        turn = next(self.turns)
        return self.many({key: self.value(turn, place) for place, key in enumerate(self.keys)})

    def value(self, turn: int, place: int = 0) -> Any:
        """Return the value to write: the same for all contenders, and new for this one."""
        return self.shape.value(turn * len(self.keys) + place)

    def contender(self, blocks: int, *, atomic: bool = False) -> Contender:
        """Return the contender that writes one block or all blocks."""
        prepare = self.next_one if blocks == 1 else self.next_many
        if atomic:
            return self._contender(lambda: self.in_transaction(prepare()), blocks)
        return self._contender(prepare, blocks)

    def _contender(self, prepare: Callable[[], Operation], blocks: int) -> Contender:
        return Contender(self.name, prepare, lambda: self.check(prepare, blocks))

    def check(self, prepare: Callable[[], Operation], blocks: int) -> None:
        """Raise AssertionError if an operation does not merge its fields into the rows, or does not record them."""
        rows_before, entries_before = self.rows(), self.entries()
        prepare()()
        rows, entries = self.rows(), self.entries()
        changed = [key for key, row in rows.items() if row.state != rows_before[key].state]
        assert len(changed) == blocks, f"{self.name} changed {len(changed)} rows, not {blocks}."
        for key in changed:
            row_id = rows[key].pk
            self.check_row(rows_before[key], rows[key])
            if self.keeps_history:
                *earlier, newest = entries[row_id]
                assert earlier == entries_before.get(row_id, []), f"{self.name} did not append exactly one entry."
                assert newest == rows[key].state, f"{self.name} wrote different states to row and history."

    def check_row(self, before: Any, row: Any) -> None:
        """Raise AssertionError if ``row`` is not ``before`` with a new value of the field and a later time."""
        fields, fields_before = course.loads(row.state), course.loads(before.state)
        written = fields.pop(course.FIELD)
        assert fields_before.pop(course.FIELD) != written, f"{self.name} did not change the field."
        assert fields == fields_before, f"{self.name} lost or changed fields that it did not write."
        assert row.modified > before.modified, f"{self.name} did not update the time."


def by_row(states: Iterable[tuple[int, str]]) -> dict[int, list[str]]:
    """Return the states by row id, in their order."""
    found = defaultdict(list)
    for row_id, state in states:
        found[row_id].append(state)
    return found
