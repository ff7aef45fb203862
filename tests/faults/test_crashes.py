"""A process that dies, or a transaction that rolls back, leaves at most a phantom, and no gap."""

import json
import os
import random
import signal
import time
from itertools import count

from django.db import transaction
from django.test import override_settings

from history.api import timeline
from history.database.circuit_breaker import breaker
from history.models import StudentModuleHistory
from kvstore.models import StudentModule
from tests.faults.case import BLOCKS, FaultCase, client
from tests.faults.servers.nursery import Child
from tests.faults.writing import Undo
from tests.kvstore.cache.blocks import usage

KILLS = int(os.environ.get("FAULT_KILLS", "20"))
NUMBERS = count(1000)
"""of the writers in this process: writers with the same number write the same values"""


class Rollbacks(FaultCase):
    def test_a_transaction_that_rolls_back_after_its_entry_was_written(self):
        writer = self.writer()
        for kind in ("undone", "set", "undone", "partly", "undone", "unmade", "score", "undone"):
            writer.write(kind)
            self.assert_journals_agree() if kind != "undone" or writer.count > 1 else None
        self.assertGreater(StudentModuleHistory.objects.filter(student_id__in=self.learners).count(), 3)
        self.assert_nothing_lost()

    def test_a_transaction_that_rolls_back_during_an_outage_leaves_nothing_pending(self):
        writer = self.writer()
        writer.write("set")
        self.history.stop()
        try:
            before = self.pending()
            for _ in range(5):
                writer.write("undone")
                writer.write("unmade")
            self.assertEqual(self.pending(), before)
        finally:
            self.history.start()
        breaker.reset()
        self.assert_nothing_lost()

    def test_an_entry_that_arrives_after_its_transaction_was_rolled_back_replaces_nothing(self):
        """One session hangs with the entry in its buffer, and wakes when the version has really been used."""
        key = usage("late")
        learner = self.learners[0]
        writes = client(learner)
        username = writes._user.get_username()
        writes.set(username, key, {"answer": "first"})
        session = self.stage.session()
        os.kill(session, signal.SIGSTOP)
        try:
            with self.assertRaises(Undo), transaction.atomic():
                writes.set(username, key, {"answer": "undone"})
                raise Undo
            breaker.reset()
            writes.set(username, key, {"answer": "second"})
            self.assertEqual(self.pending(), 0)
            writes.set(username, key, {"answer": "third"})
        finally:
            os.kill(session, signal.SIGCONT)
        self.history.wait_for(f"SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = {session}")  # noqa: S608  a number
        answers_shown = [json.loads(entry.state)["answer"] for entry in timeline(learner, key)]
        self.assertEqual(answers_shown, ["third", "second", "first"])

    def test_a_row_deleted_and_made_anew_keeps_both_histories(self):
        key, learner = usage("again"), self.learners[0]
        writes = client(learner)
        username = writes._user.get_username()
        for stopped in (False, True):
            with self.subTest(stopped=stopped):
                if stopped:
                    self.history.stop()
                try:
                    writes.set(username, key, {"answer": "old"})
                    StudentModule.objects.get(student_id=learner).delete()
                    writes.set(username, key, {"answer": "new"})
                finally:
                    if stopped:
                        self.history.start()
                breaker.reset()
        actions = [entry.action for entry in timeline(learner, key)]
        self.assertEqual(actions, ["created", "deleted", "changed", "created", "deleted", "created"])
        self.assertEqual(self.stage.deliver().wait(), 0)
        self.assertEqual(self.stage.verify(f"--after={self.last_id}")[0], 0)
        self.assertEqual([entry.action for entry in timeline(learner, key)], actions)


class Crashes(FaultCase):
    def die(self, target, **arguments):
        child = self.stage.write(self.folder, target, learners=self.learners, blocks=BLOCKS[:1], **arguments)
        self.assertIsNone(child.wait(), child.output)
        self.stage.wait_until_quiet()

    def test_a_writer_that_dies_between_the_entry_and_the_commit_leaves_a_phantom(self):
        self.writer(1000, BLOCKS[:1]).write("set")
        for kind in ("set", "score", "cache", "partly", "grouped"):
            before = StudentModuleHistory.objects.count()
            self.die("write_and_die", where="history.recording.receivers:try_entries", kinds={kind: 1})
            with self.subTest(kind=kind):
                self.assertGreaterEqual(StudentModuleHistory.objects.count(), before)
                self.assert_journals_agree()
        self.assert_nothing_lost()

    def test_a_writer_that_dies_between_the_pending_entry_and_the_commit_leaves_nothing(self):
        self.writer(1000, BLOCKS[:1]).write("set")
        self.history.stop()
        try:
            self.die("write_and_die", where="history.recording.receivers:store_pending", kinds={"set": 1})
            self.assertEqual(self.pending(), 0)
        finally:
            self.history.start()
        self.assert_nothing_lost()

    def leave_entries_pending(self, writes):
        writer = self.writer(next(NUMBERS))
        self.history.stop()
        try:
            for _ in range(writes):
                writer.write("set")
        finally:
            self.history.start()
        breaker.reset()

    def test_a_delivery_that_dies_between_its_insert_and_its_delete_leaves_no_duplicate(self):
        self.leave_entries_pending(30)
        child = self.stage.nursery.start(
            "tests.faults.writing:deliver_and_die", where="history.recording.delivery:_insert"
        )
        self.assertIsNone(child.wait(), child.output)
        self.stage.wait_until_quiet()
        self.assertEqual(self.pending(), 30)
        self.assertEqual(StudentModuleHistory.objects.filter(student_id__in=self.learners).count(), 30)
        self.assert_nothing_lost()
        self.assertEqual(StudentModuleHistory.objects.filter(student_id__in=self.learners).count(), 30)

    def deliver_in_batches(self, size: int) -> Child:
        return self.stage.nursery.manage("deliver_history", batches={"history.recording.delivery": size})

    def test_deliveries_that_are_killed_lose_nothing(self):
        self.leave_entries_pending(300)
        for _ in range(5):
            child = self.deliver_in_batches(5)
            time.sleep(random.uniform(0.02, 0.2))
            child.kill()
        self.stage.wait_until_quiet()
        self.assert_nothing_lost()

    def test_several_deliveries_share_the_work(self):
        self.leave_entries_pending(300)
        children = [self.deliver_in_batches(10) for _ in range(3)]
        self.assertLessEqual({child.wait() for child in children}, {0, 3})
        self.assertEqual(self.pending(), 0)
        self.assert_nothing_lost()

    def test_a_delivery_stops_on_a_signal(self):
        self.leave_entries_pending(300)
        stopped = self.deliver_in_batches(1)
        self.wait_until(lambda: self.pending() < 300)
        stopped.kill(signal.SIGTERM)
        self.assertEqual(stopped.wait(10), 3, stopped.output)
        self.assertGreater(self.pending(), 0)
        watching = self.stage.nursery.manage("deliver_history", "--watch", "--interval=0.1")
        self.wait_until(lambda: not self.pending())
        self.leave_entries_pending(3)
        self.wait_until(lambda: not self.pending())
        watching.kill(signal.SIGTERM)
        self.assertEqual(watching.wait(10), 0, watching.output)
        self.assert_nothing_lost()

    def test_a_delivery_that_watches_outlives_both_servers(self):
        watching = self.stage.nursery.manage("deliver_history", "--watch", "--interval=0.1", "--verbosity=0")
        self.leave_entries_pending(3)
        self.wait_until(lambda: not self.pending())
        for cluster in (self.history, self.stage.state):
            cluster.restart()
            self.stage.disconnect()
            self.leave_entries_pending(3)
            self.wait_until(lambda: not self.pending())
        watching.kill(signal.SIGTERM)
        self.assertEqual(watching.wait(10), 0, watching.output)
        self.assert_nothing_lost()

    def test_writers_killed_at_random_points_leave_no_hole(self):
        kill_writers(self, KILLS)
        self.assert_nothing_lost()

    def test_writers_killed_during_an_outage_leave_no_hole(self):
        self.history.stop()
        try:
            kill_writers(self, KILLS)
        finally:
            self.history.start()
        self.assert_nothing_lost()


def kill_writers(case: FaultCase, kills: int) -> None:
    """Kill one of four writers after a random time, again and again, while the others go on."""

    def start() -> Child:
        return case.stage.write(case.folder, learners=case.learners, blocks=BLOCKS)

    writers = [start() for _ in range(4)]
    for _ in range(kills):
        time.sleep(random.uniform(0.05, 0.25))
        place = random.randrange(len(writers))
        writers[place].kill()
        writers[place] = start()
    for writer in writers:
        writer.kill()
    case.stage.wait_until_quiet()


class Patience(FaultCase):
    def test_an_entry_stored_late_and_its_pending_copy_are_one(self):
        """The server stores an entry after the write timed out; the same entry is pending, and is delivered over it."""
        writer = self.writer()
        writer.write("set")
        lock = self.stage.lock_history()
        try:
            with override_settings(HISTORY_TIMEOUT=1):
                writer.write("set")
        finally:
            lock.close()
        self.assertEqual(self.pending(), 1)
        breaker.reset()
        writer.write("set")
        self.assert_nothing_lost()
