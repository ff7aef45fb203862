"""The entry that recovery chooses, on random histories of one row: rollbacks, outages, deletions and two restores."""

import random
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import NamedTuple

from django.test import SimpleTestCase

from history.recovery.plan import Period, PresentVersion, plan

START = datetime(2026, 1, 1, tzinfo=UTC)
ALWAYS = Period(None, datetime.max.replace(tzinfo=UTC))
HISTORIES = 3000


class Entry(NamedTuple):
    student_module_id: int
    version: int
    action: str
    created: datetime
    transaction_id: int
    previous: bytes | None
    digest: bytes


class World:
    """One row id: the delivered entries, the pending entries, and the committed chain, oldest first."""

    def __init__(self, seed, *, outages=True, deletions=True):
        self.random = random.Random(seed)
        self.numbers = count(1)
        self.moments = count(1)
        self.outages, self.deletions = outages, deletions
        self.history, self.pending, self.chain = [], [], []

    @property
    def present(self):
        if not self.chain or self.chain[-1].action == "deleted":
            return None
        last = self.chain[-1]
        return PresentVersion(last.version, last.digest, last.created)

    def transact(self):
        """Run one transaction, which is committed or rolled back."""
        transaction, chain, pending = next(self.numbers), list(self.chain), []
        for _ in range(self.random.choice((1, 1, 1, 2, 3))):
            if chain and chain[-1].action == "deleted":
                break
            entry = self.next_entry(chain, transaction)
            is_kept = self.random.random() > 0.1  # else a savepoint is rolled back
            # An entry ``deleted`` is never written ahead.
            if entry.action != "deleted" and not (self.outages and self.random.random() < 0.15):
                self.history.append(entry)
            elif is_kept:
                pending.append(entry)
            if is_kept:
                chain.append(entry)
        if self.random.random() > 0.2:
            self.chain, self.pending = chain, self.pending + pending
            self.deliver(pending)

    def next_entry(self, chain, transaction):
        last = chain[-1] if chain else None
        action = "deleted" if last and self.deletions and self.random.random() < 0.03 else "changed"
        moment = START + timedelta(seconds=next(self.moments))
        version, previous = (last.version + 1, last.digest) if last else (1, None)
        return Entry(7, version, action, moment, transaction, previous, str(next(self.numbers)).encode())

    def deliver(self, pending):
        """Deliver a deletion at once, and everything sometimes."""
        delivered = self.pending if self.random.random() < 0.1 else [one for one in pending if one.action == "deleted"]
        if not self.outages or delivered:
            self.history += delivered
            self.pending = [one for one in self.pending if one not in delivered]

    def write(self, least, most):
        for _ in range(self.random.randint(least, most)):
            self.transact()

    def backup(self):
        return list(self.chain), list(self.pending)

    def restore(self, backup):
        self.chain, self.pending = list(backup[0]), list(backup[1])

    def plan(self, **options):
        return plan(self.present, [*self.pending, *self.history], ALWAYS, **options)


class Choosing(SimpleTestCase):
    def worlds(self, **options):
        for seed in range(HISTORIES):
            self.seed = seed
            yield World(seed, **options)

    def _formatMessage(self, msg, standard):  # noqa: N802  a hook of unittest
        return super()._formatMessage(f"seed {self.seed}: {msg or ''}", standard)

    def lose(self, world):
        """Return the lost chain, after the state was restored from a backup."""
        world.write(0, 6)
        backup = world.backup()
        world.write(0, 8)
        lost = world.chain
        world.restore(backup)
        return lost

    def test_the_version_of_the_loss_or_a_later_one_that_was_rolled_back(self):
        exact = 0
        for world in self.worlds(outages=False):
            lost = self.lose(world)
            found = world.plan()
            last = max(world.history, key=lambda entry: entry.created, default=None)
            if found.target is None:
                is_gone = world.present is None and (not lost or lost[-1].action == "deleted")
                self.assertTrue(is_gone or lost == world.chain, "a version was left out")
            elif found.is_proved or last in lost:
                self.assertEqual(found.target, lost[-1])
                exact += 1
            else:
                self.assertEqual(found.target, last)
                self.assertGreater(last.created, lost[-1].created if lost else START)
            self.assertEqual((found.missing, found.diverged), ([], []))
        self.assertGreater(exact, HISTORIES / 3)

    def test_only_committed_versions_where_proof_is_required(self):
        restored = 0
        for world in self.worlds(outages=False):
            lost = self.lose(world)
            found = world.plan(only_proved=True)
            if found.target:
                self.assertIn(found.target, lost)
                self.assertTrue(found.is_proved)
                later = [entry for entry in lost if entry.version > found.target.version]
                self.assertLessEqual(len({entry.transaction_id for entry in later}), 1, "later proof was passed over")
                restored += 1
        self.assertGreater(restored, HISTORIES / 3)

    def test_the_newest_delivered_version_in_spite_of_gaps(self):
        with_gaps = 0
        for world in self.worlds(deletions=False):
            lost = self.lose(world)
            found = world.plan()
            delivered = [entry for entry in lost if entry in world.history and entry not in world.chain]
            if delivered and (found.target is None or found.target not in lost):
                last = max(world.history, key=lambda entry: entry.created)
                self.assertEqual(found.target, last, "neither the lost version nor one that was rolled back later")
            elif delivered:
                self.assertEqual(found.target, delivered[-1])
                with_gaps += bool(found.missing)
            self.assertEqual(found.diverged, [])
        self.assertGreater(with_gaps, HISTORIES / 20)

    def test_a_row_that_was_written_to_after_the_restore_is_never_set_to_older_versions(self):
        diverged = 0
        for world in self.worlds():
            self.lose(world)
            restored = list(world.chain)
            begin = next(world.moments)
            world.write(1, 4)
            if world.chain == restored or world.present is None:
                continue
            found = world.plan()
            if found.target:
                self.assertGreater(found.target.created, START + timedelta(seconds=begin))
            diverged += bool(found.diverged)
        self.assertGreater(diverged, HISTORIES / 20)
