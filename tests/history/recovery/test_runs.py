"""A recovery can be interrupted, repeated and made without writing."""

from itertools import count
from unittest import mock

from django.db import DatabaseError

from history.api import Recovery, recover
from history.recovery import recover as recovery
from kvstore.api import WriteConflict
from kvstore.versioning import rows
from tests.history.recovery.backups import Backup, stored_rows
from tests.history.recovery.case import RecoveryTestCase
from tests.kvstore.cache.blocks import usage


class Runs(RecoveryTestCase):
    """The results of a run that ends early, is made twice, or writes nothing."""

    def setUp(self):
        super().setUp()
        self.blocks = [usage(f"block{number}") for number in range(6)]
        for block in self.blocks[:4]:
            self.set(1, block=block)
        backup = Backup()
        for block in self.blocks:
            self.set(2, 3, block=block)
        self.lost = stored_rows()
        backup.restore()
        self.before = stored_rows()

    def test_a_second_run_changes_nothing(self):
        self.assertEqual(len(self.recover()), 6)
        with mock.patch.object(recovery, "bring_to", side_effect=AssertionError):
            self.assertEqual(self.recover(), [])
        self.assertEqual(stored_rows(), self.lost)

    def test_a_dry_run_reports_the_same_and_writes_nothing(self):
        reported = self.recover(dry_run=True)
        following = self.progress.next_id
        self.assertLess(*following)
        self.assertEqual(stored_rows(), self.before)
        self.assertEqual(self.recover(), reported)
        self.assertEqual(self.progress.next_id, following)

    def test_a_run_that_is_interrupted_continues_where_it_ended(self):
        class Interrupted(Exception):
            pass

        for size in (1, 2, 4):
            with self.subTest(size=size), mock.patch.object(recovery, "BATCH_SIZE", size):
                progress = Recovery()
                with self.assertRaises(Interrupted):
                    recover(progress, after_batch=mock.Mock(side_effect=[None, Interrupted()]))
                rest = Recovery(last_id=progress.last_id)
                recover(rest)
                self.assertEqual(stored_rows(), self.lost)
                Backup.restore(mock.Mock(rows=self.before, pending=[]))

    def test_a_run_that_fails_at_a_row_restores_it_the_next_time(self):
        update = rows.update

        def fail_at_last(model, changed, using):
            if str(changed[0].module_state_key) == str(self.blocks[3]):
                update(model, changed, using)
                raise DatabaseError("the connection was lost")
            update(model, changed, using)

        progress = Recovery()
        with mock.patch.object(rows, "update", fail_at_last), self.assertRaises(DatabaseError):
            recover(progress)
        self.assertEqual([row["version"] for row in stored_rows()], [3, 3, 3, 1])
        self.assertEqual(
            self.recover(after=progress.last_id), [("restored", 1, 3, False)] + [("restored", 0, 2, False)] * 2
        )
        self.assertEqual(stored_rows(), self.lost)

    def test_a_locked_row_is_named_and_the_others_are_recovered(self):
        def held(entry, *args, **options):
            if entry.module_state_key == str(self.blocks[1]):
                raise WriteConflict("the lock is held")
            return bring_to(entry, *args, **options)

        bring_to = recovery.bring_to
        with mock.patch.object(recovery, "bring_to", held):
            results = self.recover()
        self.assertEqual((results[1], self.progress.left), (("locked", 1, 3, False), 1))
        self.assertEqual(self.recover(), [("restored", 1, 3, False)])
        self.assertEqual(stored_rows(), self.lost)

    def test_a_run_that_ends_between_a_report_and_its_commit_reports_the_row_again(self):
        reported = []

        def report(row):
            reported.append((row.row_id, str(row.result)))
            if len(reported) == 3:
                raise KeyboardInterrupt

        with self.assertRaises(KeyboardInterrupt):
            recover(Recovery(), report)
        self.assertEqual([row["version"] for row in stored_rows()], [3, 3, 1, 1])
        recover(Recovery(), lambda row: reported.append((row.row_id, str(row.result))))
        ids = [row["id"] for row in self.lost]
        self.assertEqual(reported, [(row_id, "restored") for row_id in ids[:3] + ids[2:]])
        self.assertEqual(stored_rows(), self.lost)

    def test_a_stopped_run_reports_where_to_continue(self):
        progress = Recovery()
        recover(progress, stop=lambda: progress.results["restored"] >= 2)
        self.assertEqual(progress.results, {"restored": 2})
        self.assertEqual(len(self.recover(after=progress.last_id)), 4)
        self.assertEqual(stored_rows(), self.lost)

    def test_learners_work_on_other_rows_meanwhile(self):
        numbers = count()
        with mock.patch.object(recovery, "BATCH_SIZE", 1):
            recover(Recovery(), after_batch=lambda: self.set(1, block=usage(f"new{next(numbers)}")))
        self.assertEqual(stored_rows()[:6], self.lost)
        self.assertEqual(len(stored_rows()), 12)
        self.assertEqual(self.problems(), [])
