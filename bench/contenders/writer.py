"""The base of all contenders that write, and the check of each contender's result."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any, ClassVar

from django.db import models, transaction
from opaque_keys.edx.keys import UsageKey

from bench import course
from bench.case import Contender

Operation = Callable[[], Any]


class Writer(ABC):
    """A learner's rows of these blocks, one contender's way to write them, and a query for the written values."""

    name: str
    keeps_history: ClassVar[bool] = True

    def __init__(self, keys: Sequence[UsageKey], shape: course.Shape = course.CAPA) -> None:
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

    def one_in_transaction(self, key: UsageKey, value: Any) -> Operation:
        """Return the operation that does so inside a transaction of the caller."""
        return in_transaction(self.one(key, value))

    @abstractmethod
    def row(self, key: UsageKey) -> models.Model:
        """Return the block's row, read anew."""

    @abstractmethod
    def entries(self, row: Any) -> list[str]:
        """Return the states in the row's history, oldest first."""

    def next_one(self) -> Operation:
        """Return an operation on one block. No two operations write the same: that would be no change."""
        turn = next(self.turns)
        return self.one(self.keys[turn % len(self.keys)], self.value(turn))

    def next_one_in_transaction(self) -> Operation:
        """Return such an operation inside a transaction."""
        turn = next(self.turns)
        return self.one_in_transaction(self.keys[turn % len(self.keys)], self.value(turn))

    def next_many(self) -> Operation:
        """Return an operation on all blocks."""
        turn = next(self.turns)
        return self.many({key: self.value(turn, place) for place, key in enumerate(self.keys)})

    def value(self, turn: int, place: int = 0) -> Any:
        """Return the values to write: equal for all contenders, and new to this one."""
        return self.shape.value(turn * len(self.keys) + place)

    def contender(self, prepare: Callable[[], Operation]) -> Contender:
        """Return the contender that a case times."""
        return Contender(self.name, prepare, lambda: self.check(prepare))

    def check(self, prepare: Callable[[], Operation]) -> None:
        """Raise AssertionError unless an operation merges its fields into the rows and puts them into the history."""
        before = {key: (self.row(key), self.entries(self.row(key))) for key in self.keys}
        prepare()()
        changed = 0
        for key, (row_before, entries_before) in before.items():
            row = self.row(key)
            if row.state == row_before.state:
                continue
            changed += 1
            self.check_row(row_before, row, entries_before)
        expected = len(self.keys) if prepare == self.next_many else 1
        assert changed == expected, f"{self.name} changed {changed} rows, not {expected}."

    def check_row(self, before: Any, row: Any, entries_before: list[str]) -> None:
        """Raise AssertionError unless ``row`` is ``before`` with the field written, and its history has the change."""
        fields, fields_before = course.loads(row.state), course.loads(before.state)
        written = fields.pop(self.shape.field)
        assert fields_before.pop(self.shape.field) != written, f"{self.name} wrote nothing new."
        assert fields == fields_before, f"{self.name} lost or changed fields that it did not write."
        assert row.modified > before.modified, f"{self.name} did not store the time of the write."
        if self.keeps_history:
            entries = self.entries(row)
            assert entries[:-1] == entries_before, f"{self.name} changed entries, or added not exactly one."
            assert entries[-1] == row.state, f"{self.name} put another state into the history than into the row."


def in_transaction(operation: Operation) -> Operation:
    """Return an operation that runs another one in a transaction of Django's on ``default``."""

    def run() -> None:
        with transaction.atomic():
            operation()

    return run
