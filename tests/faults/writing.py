"""A writing process: writes of every kind, and a line in its journal for each that was acknowledged.

Every write sets a value that no other write sets: ``number:count`` of the writer, as a field or as a score of ``count``
points of ``number``. A value that is undone has the form ``number:count:undone``, or is a negative score.
"""

import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from xblock.fields import Scope

from history.api import HistoryUnavailable, timeline
from kvstore.api import DjangoKeyValueStore, DjangoXBlockUserStateClient, FieldDataCache, WriteConflict, set_score
from kvstore.models import StudentModule
from tests.faults.servers.nursery import override
from tests.kvstore.cache.blocks import COURSE, block, key_for, usage

FIELDS = ("answer", "attempts", "seed", "feedback")
UNDONE = "undone"

EVERY_KIND = {"set": 8, "cache": 4, "score": 4, "pair": 2, "grouped": 2, "undone": 3, "partly": 2, "unmade": 1}
"""how often each kind of write is made, in proportion"""
OWN_TRANSACTION = {"grouped", "undone", "partly", "unmade"}
"""kinds that open a transaction themselves, which the store may not retry for them"""
MOST_CONFLICTS = 1000


class Undo(Exception):
    """Rolls a transaction back."""


class Journal:
    """The acknowledged writes, each on the disk before the next write."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a")

    def close(self) -> None:
        self._file.close()

    def add(self, **line: Any) -> None:
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())


class Writer:
    """One writer of many, on the same blocks of the same learners."""

    def __init__(self, number: int, journal: Journal, learners: Sequence[int], blocks: Sequence[str]) -> None:
        self.number = number
        self.journal = journal
        self.users = list(get_user_model().objects.filter(pk__in=learners))
        self.blocks = [usage(name) for name in blocks]
        self.random = random.Random(number)
        self.count = 0
        self.conflicts = 0

    def write(self, kind: str) -> None:
        """Make one write, and journal its outcome."""
        self.user, self.key = self.random.choice(self.users), self.random.choice(self.blocks)
        self.client = DjangoXBlockUserStateClient(self.user)
        self.count += 1
        self.conflicts = 0
        try:
            written = self.tried(kind)
        except Exception as error:  # any error: the journal records a write that failed unexpectedly
            self.journal.add(failed=f"{kind}: {type(error).__name__}: {error}", count=self.count, number=self.number)
            return
        self.journal.add(
            number=self.number,
            count=self.count,
            written=[(self.user.pk, str(key), field, value) for key, field, value in written],
            undone=kind in {UNDONE, "unmade"},
            conflicts=self.conflicts,
        )

    def tried(self, kind: str) -> list[tuple[Any, str, Any]]:
        """Return the written value; retry a transaction that was rolled back for a deadlock."""
        while True:
            try:
                return list(getattr(self, f"_{kind}")())
            except WriteConflict:
                self.conflicts += 1
                if kind not in OWN_TRANSACTION or self.conflicts > MOST_CONFLICTS:
                    raise

    def _set(self) -> Iterator[tuple[Any, str, Any]]:
        field = self.random.choice(FIELDS)
        self.client.set(self.user.username, self.key, {field: self.value()})
        yield self.key, field, self.value()

    def _cache(self) -> Iterator[tuple[Any, str, Any]]:
        field = self.random.choice(FIELDS)
        cache = FieldDataCache([block(self.key, [Scope.user_state])], COURSE, self.user)
        DjangoKeyValueStore(cache).set(key_for(Scope.user_state, self.user.pk, field, self.key), self.value())
        yield self.key, field, self.value()

    def _score(self) -> Iterator[tuple[Any, str, Any]]:
        set_score(self.user.pk, self.key, self.count, self.number)
        yield self.key, "score", [self.count, self.number]

    def _pair(self) -> Iterator[tuple[Any, str, Any]]:
        """Write two blocks at once, in any order."""
        field = self.random.choice(FIELDS)
        keys = self.random.sample(self.blocks, min(2, len(self.blocks)))
        self.client.set_many(self.user.username, {key: {field: self.value()} for key in keys})
        for key in keys:
            yield key, field, self.value()

    def _grouped(self) -> Iterator[tuple[Any, str, Any]]:
        """Write one block twice in one transaction."""
        with transaction.atomic():
            yield from self._set()
            yield from self._score()

    def _undone(self) -> Iterator[tuple[Any, str, Any]]:
        """Write in a transaction that is rolled back."""
        with self.undoing():
            if self.random.random() < 0.5:
                set_score(self.user.pk, self.key, -self.count, self.number)
            else:
                self.client.set(self.user.username, self.key, {self.random.choice(FIELDS): self.value(UNDONE)})
        yield self.key, UNDONE, self.value(UNDONE)

    def _partly(self) -> Iterator[tuple[Any, str, Any]]:
        """Write, go back to a savepoint, and write the same version again."""
        with transaction.atomic():
            with self.undoing():
                self.client.set(self.user.username, self.key, {"answer": self.value(UNDONE)})
            yield from self._set()

    def _unmade(self) -> Iterator[tuple[Any, str, Any]]:
        """Make a row, delete it, and roll both back."""
        key = usage(f"unmade-{self.number}-{self.count}")
        with self.undoing():
            self.client.set(self.user.username, key, {"answer": self.value(UNDONE)})
            StudentModule.objects.get(student=self.user, module_state_key=key).delete()
        yield key, UNDONE, self.value(UNDONE)

    def value(self, *marks: str) -> str:
        return ":".join([str(self.number), str(self.count), *marks])

    @contextmanager
    def undoing(self) -> Iterator[None]:
        try:
            with transaction.atomic():
                yield
                raise Undo
        except Undo:
            pass


def write(
    number: int,
    journal: str,
    learners: Sequence[int],
    blocks: Sequence[str],
    writes: int | None = None,
    seconds: float | None = None,
    kinds: Mapping[str, int] = EVERY_KIND,
    settings: Mapping[str, Any] | None = None,
) -> None:
    """Write so many times, or so long; without both, until the process is killed."""
    override(settings or {})
    writer = Writer(number, Journal(Path(journal)), learners, blocks)
    end = time.monotonic() + seconds if seconds else None
    names, weights = list(kinds), list(kinds.values())
    while (writes is None or writer.count < writes) and (end is None or time.monotonic() < end):
        writer.write(writer.random.choices(names, weights)[0])


def write_and_die(where: str, **arguments: Any) -> None:
    """Write once, and be gone as soon as the function ``where`` (module:name) has returned."""
    die_after(where)
    write(writes=1, **arguments)


def read(learner: int, block: str, settings: Mapping[str, Any]) -> None:
    """Read a timeline; exit with 7 where the history cannot be had."""
    override(settings)
    try:
        list(timeline(learner, usage(block)))
    except HistoryUnavailable as error:
        print(error)
        sys.exit(7)


def deliver_and_die(where: str) -> None:
    """Deliver, and be gone as soon as the function ``where`` has returned."""
    from django.core.management import call_command

    die_after(where)
    call_command("deliver_history")


def die_after(where: str) -> None:
    """Make the function ``where`` the last that this process runs."""
    import importlib

    module_name, name = where.split(":")
    module = importlib.import_module(module_name)
    function: Callable[..., Any] = getattr(module, name)

    def last(*args: Any, **kwargs: Any) -> None:
        function(*args, **kwargs)
        os._exit(9)

    setattr(module, name, last)
