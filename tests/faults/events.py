"""Writes, rollbacks, outages, deliveries and restored backups, in any order. Hypothesis chooses the order."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from typing import Any, NamedTuple
from unittest import mock

from django.core import serializers
from django.db import OperationalError, connection, transaction
from django.db.models import Max
from django.utils import timezone
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from history.api import change_context
from history.database.circuit_breaker import breaker
from history.models import PendingHistory
from history.reading.scan import delivered
from history.recording import delivery, write_ahead
from history.verification.verify import Verification, verify
from kvstore.api import DjangoXBlockUserStateClient, set_score
from kvstore.models import StudentModule
from kvstore.querysets import unguarded
from kvstore.signals import StateVersion
from kvstore.testing import UserFactory
from kvstore.versioning import versions
from tests.faults.model import Place
from tests.kvstore.cache.blocks import COURSE, usage

BLOCKS = [usage("first"), usage("second")]
LEARNERS = 2
NAMES = st.sampled_from(["a", "b"])
VALUES = st.sampled_from([0, 1, True, 1.0, None, "", "x", [1], {"deep": [None]}])
FIELDS = st.dictionaries(NAMES, VALUES, max_size=2)
SCORES = st.sampled_from([None, 0.0, 1.0, 2.5])
CHANGES = st.one_of(
    st.tuples(st.just("overlay"), FIELDS),
    st.tuples(st.just("delete"), st.none() | st.lists(NAMES, max_size=2)),
    st.tuples(st.just("score"), st.tuples(SCORES, SCORES)),
    st.tuples(st.just("save_state"), FIELDS),
    st.tuples(st.just("save_stale_score"), st.tuples(SCORES, FIELDS)),
    st.tuples(st.just("remove"), st.none()),
)
WRITES = st.tuples(st.integers(0, LEARNERS - 1), st.sampled_from(BLOCKS), CHANGES)
OUTAGES = st.sampled_from(["", "down", "silent", "late"])


def named(version: Any) -> str:
    """Return the identity of a version; a request may make two versions."""
    return f"{version.request_id}, version {version.version}"


class Undo(Exception):
    """Rolls a transaction back."""


class Backup(NamedTuple):
    """``default`` at one moment: its rows, its pending entries, and the model of both."""

    rows: list[dict[str, Any]]
    pending: list[dict[str, Any]]
    places: dict[Any, Place]


class Events(RuleBasedStateMachine):
    """The events of the store. Each rule changes the store and a model of it."""

    def __init__(self) -> None:
        super().__init__()
        self.users = [UserFactory() for _ in range(LEARNERS)]
        self.places = {(number, key): Place() for number in range(LEARNERS) for key in BLOCKS}
        self.deleted: dict[Any, frozenset[str]] = {place: frozenset() for place in self.places}
        """the versions that a deletion proves, by place"""
        self.stored: dict[Any, StateVersion] = {}
        """every entry that was ever seen in the history database"""
        self.backup = self.take_backup()
        self.fixtures: dict[Any, tuple[str, Place]] = {}
        self.loaded: set[Any] = set()
        self.outage = ""
        self.late: list[list[StateVersion]] = []
        self.count = 0
        self.clock = timedelta()
        breaker.reset()
        self.patches = [
            mock.patch.object(write_ahead, "write_entries", self.send),
            mock.patch.object(delivery, "write_entries", self.send),
            mock.patch.object(versions, "now", lambda: timezone.now() + self.clock),
        ]
        for patch in self.patches:
            patch.start()

    def teardown(self) -> None:
        for patch in self.patches:
            patch.stop()
        breaker.reset()
        for rows in (unguarded(StudentModule, "default"), PendingHistory.objects.all(), delivered()):
            rows._raw_delete(rows.db)

    def send(self, entries: list[StateVersion]) -> None:
        """Write, or be a server that is down, one that does and does not answer, or one that does much later."""
        if self.outage in ("", "silent"):
            self.really_write(entries)
        if self.outage == "late":
            self.late.append(list(entries))
        if self.outage:
            raise OperationalError(f"made up: {self.outage}")

    really_write = staticmethod(write_ahead.write_entries)

    # Actions of learners and programs

    @rule(write=WRITES)
    def write(self, write: Any) -> None:
        self.make(write)

    @rule(writes=st.lists(WRITES, min_size=1, max_size=4), undone=st.booleans())
    def transaction(self, writes: list[Any], undone: bool) -> None:  # noqa: FBT001  hypothesis passes it by name
        with self.in_transaction(undone=undone):
            for write in writes:
                self.make(write)

    @rule(first=WRITES, undone=st.lists(WRITES, min_size=1, max_size=2), then=WRITES, all_undone=st.booleans())
    def savepoint(self, first: Any, undone: list[Any], then: Any, all_undone: bool) -> None:  # noqa: FBT001  hypothesis passes it by name
        """Go back to a savepoint, and write the same versions again."""
        with self.in_transaction(undone=all_undone):
            self.make(first)
            with self.in_transaction(undone=True):
                for write in undone:
                    self.make(write)
            self.make(then)

    @contextmanager
    def in_transaction(self, *, undone: bool) -> Iterator[None]:
        before = dict(self.places), dict(self.deleted)
        try:
            with transaction.atomic():
                yield
                if undone:
                    raise Undo
        except Undo:
            self.places, self.deleted = before

    def make(self, write: Any) -> None:
        number, key, (kind, what) = write
        self.count += 1
        request_id = f"request{self.count}"
        user, place = self.users[number], self.places[number, key]
        with change_context(request_id=request_id):
            self.places[number, key] = getattr(self, f"_{kind}")(user, key, place, what, request_id)

    def _overlay(self, user: Any, key: Any, place: Place, fields: Any, request_id: str) -> Place:
        DjangoXBlockUserStateClient(user).set(user.username, key, fields)
        return place.overlaid(fields, request_id)

    def _delete(self, user: Any, key: Any, place: Place, names: Any, request_id: str) -> Place:
        DjangoXBlockUserStateClient(user).delete(user.username, key, fields=names)
        return place.without(names, request_id)

    def _score(self, user: Any, key: Any, place: Place, score: Any, request_id: str) -> Place:
        set_score(user.pk, key, *score)
        return place.scored(*score, request_id)

    def _save_state(self, user: Any, key: Any, place: Place, fields: Any, request_id: str) -> Place:
        row = self.row(user, key) or StudentModule(
            student=user, course_id=COURSE, module_state_key=key, module_type="problem"
        )
        row.state = json.dumps(fields, separators=(",", ":"))
        row.save()
        return place.replaced(fields, request_id)

    def _save_stale_score(self, user: Any, key: Any, place: Place, what: Any, request_id: str) -> Place:
        """Save a score on an instance that was loaded before another writer set fields."""
        grade, fields = what
        row = self.row(user, key)
        if row is None:
            return place
        place = self._overlay(user, key, place, fields, request_id)
        row.grade = grade
        row.save()
        return place.scored(grade, place.max_grade, request_id)

    def _remove(self, user: Any, key: Any, place: Place, what: Any, request_id: str) -> Place:
        row = self.row(user, key)
        if row is None:
            return place
        row.delete()
        removed = place.removed(request_id)
        of_life = {named(version) for version in (*place.life, removed.versions[-1])}
        self.deleted[self.users.index(user), key] |= of_life
        return removed

    def row(self, user: Any, key: Any) -> StudentModule | None:
        return StudentModule.objects.filter(student=user, module_state_key=key).first()

    # Events of the history's server

    @rule(outage=OUTAGES)
    def outage_begins_or_ends(self, outage: str) -> None:
        self.outage = outage

    @rule()
    def time_passes(self) -> None:
        """The breaker allows the next write."""
        breaker._retry_at = 0

    @rule()
    def late_entries_arrive(self) -> None:
        for entries in self.late:
            self.really_write(entries)
        self.late = []

    @rule(seconds=st.integers(-600, 600))
    def the_clock_is_set(self, seconds: int) -> None:
        self.clock = timedelta(seconds=seconds)

    # Actions of operators

    @rule(batch_size=st.integers(1, 3), batches=st.none() | st.integers(1, 3))
    def deliver(self, batch_size: int, batches: int | None) -> None:
        before = PendingHistory.objects.count()
        done = count()
        with mock.patch.object(delivery, "BATCH_SIZE", batch_size):
            result = delivery.deliver(stop=lambda: next(done) == batches)
        left = PendingHistory.objects.count()
        self.assert_same(before - left, result.delivered)
        if self.outage and before:
            assert result.error, "a delivery during an outage reported none"
        elif batches is None:
            self.assert_same(left, 0)

    @rule(repair=st.booleans())
    def verify(self, repair: bool) -> None:  # noqa: FBT001  hypothesis passes it by name
        found = list(verify(Verification(), repair=repair))
        wrong = [problem for problem in found if problem.kind not in ("phantom", "branch")]
        assert not wrong, wrong

    @rule()
    def back_up(self) -> None:
        self.backup = self.take_backup()

    def take_backup(self) -> Backup:
        rows, pending = (list(rows.values()) for rows in self.tables())
        return Backup(rows, pending, dict(self.places))

    @rule()
    def restore_the_backup(self) -> None:
        """Put ``default`` back, so that ids are given out again. Pending entries would be lost, so there are none."""
        delivery.deliver()
        if PendingHistory.objects.exists():
            return
        for rows, backup in zip(self.tables(), self.backup[:2], strict=True):
            rows._raw_delete(rows.db)
            rows.bulk_create(rows.model(**values) for values in backup)
        self.set_sequence_back()
        self.places = dict(self.backup.places)

    @rule(writes=st.lists(WRITES, min_size=1, max_size=3))
    def lose_writes_and_a_deletion(self, writes: list[Any]) -> None:
        """Orders made up at random hardly ever have these steps one after the other."""
        self.make(writes[0])
        self.back_up()
        for write in writes:
            self.make(write)
        self.make((*writes[0][:2], ("remove", None)))
        self.restore_the_backup()

    @staticmethod
    def tables() -> tuple[Any, Any]:
        return unguarded(StudentModule, "default"), unguarded(PendingHistory, "default")

    @staticmethod
    def set_sequence_back() -> None:
        table = StudentModule._meta.db_table
        last = unguarded(StudentModule, "default").aggregate(last=Max("pk"))["last"] or 0
        statement = {
            "sqlite": f"UPDATE sqlite_sequence SET seq = {last} WHERE name = '{table}'",  # noqa: S608  our own
            "postgresql": f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), {last + 1}, false)",
            "mysql": f"ALTER TABLE {table} AUTO_INCREMENT = {last + 1}",
        }[connection.vendor]
        with connection.cursor() as cursor:
            cursor.execute(statement)

    @rule(place=st.tuples(st.integers(0, LEARNERS - 1), st.sampled_from(BLOCKS)))
    def dump_a_row(self, place: Any) -> None:
        row = self.row(self.users[place[0]], place[1])
        if row is not None:
            self.fixtures[place] = serializers.serialize("json", [row]), self.places[place]

    @rule(write=WRITES)
    def delete_a_row_and_load_it_again(self, write: Any) -> None:
        place = write[:2]
        self.dump_a_row(place)
        self.make(write)
        self.make((*place, ("remove", None)))
        self.load_a_row_that_is_gone(place)

    @rule(place=st.tuples(st.integers(0, LEARNERS - 1), st.sampled_from(BLOCKS)))
    def load_a_row_that_is_gone(self, place: Any) -> None:
        if place not in self.fixtures or self.places[place].exists:
            return
        text, dumped = self.fixtures[place]
        (loaded,) = serializers.deserialize("json", text)
        if not StudentModule.objects.filter(pk=loaded.object.pk).exists():
            loaded.save()
            self.loaded.add(place)
            self.places[place] = dumped

    @staticmethod
    def assert_same(found: Any, expected: Any) -> None:
        # By their text: 1, true and 1.0 are equal in Python.
        assert json.dumps(found, sort_keys=True, default=str) == json.dumps(expected, sort_keys=True, default=str), (
            f"\nfound    {found}\nexpected {expected}"
        )
