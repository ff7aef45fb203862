"""Recovery restores the state that the history proves after `default` was restored from a backup.

TransactionTestCase, because only transactions that are really committed have ids of their own, and recovery locks rows
and changes sequences.
"""

import io
import json
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from unittest import mock

from django.core.management import CommandError, call_command
from django.db import DatabaseError, IntegrityError, connection, connections, transaction
from django.test import TransactionTestCase, override_settings
from django.utils import timezone

from history.api import Recovery, deliver, recover, timeline
from history.models import PendingHistory, StudentModuleHistory
from history.reading.scan import delivered
from history.recovery import recover as recovery
from history.verification.verify import Verification, verify
from kvstore.api import DjangoXBlockUserStateClient, WriteConflict, set_score
from kvstore.models import StudentModule
from kvstore.querysets import unguarded
from kvstore.testing import StudentModuleFactory, UserFactory, assert_queries
from kvstore.versioning import rows
from tests.history.outages import alias_missing, history_outage, rolled_back
from tests.history.recovery.backups import Backup, stored_rows
from tests.kvstore.cache.blocks import usage

BLOCK = usage("block")


class Recovering(TransactionTestCase):
    databases = {"default", "student_module_history"}

    def setUp(self):
        self.user = UserFactory()
        self.client = DjangoXBlockUserStateClient(self.user)

    def set(self, *values, block=BLOCK):
        for value in values:
            self.client.set(self.user.username, block, {"a": value})

    def row(self, block=BLOCK):
        return StudentModule.objects.get(student=self.user, module_state_key=block)

    def recover(self, **options):
        """Recover, and return the result and the versions of each row."""
        self.progress = Recovery(last_id=options.pop("after", 0))
        self.rows = []
        recover(self.progress, self.rows.append, **options)
        return [(str(row.result), row.from_version, row.to_version, row.proved) for row in self.rows]

    def problems(self):
        return [(problem.kind, problem.versions) for problem in verify(Verification())]

    def told(self, block=BLOCK):
        """Return the field of each version in the timeline, newest first."""
        return [json.loads(entry.state)["a"] if entry.state else None for entry in timeline(self.user, block)]

    def entries(self, **filters):
        return delivered().filter(**filters)


class SetBack(Recovering):
    """Rows that a backup has, at an older version."""

    def test_a_row_gets_every_column_of_the_version_that_it_had(self):
        self.set(1, 2)
        backup = Backup()
        self.set(3)
        set_score(self.user.pk, BLOCK, 0.1, 3)
        lost = stored_rows()
        backup.restore()
        self.assertEqual(self.recover(), [("restored", 2, 4, False)])
        self.assertEqual(stored_rows(), lost)
        self.assertEqual(self.problems(), [])
        self.assertEqual(self.told(), [3, 3, 2, 1])

    def test_the_next_version_continues_the_restored_one(self):
        self.set(1)
        backup = Backup()
        self.set(2, 3)
        backup.restore()
        self.recover()
        self.client.set(self.user.username, BLOCK, {"b": 1})
        self.assertEqual(self.problems(), [])
        self.assertEqual(self.told(), [3, 3, 2, 1])

    def test_several_versions_of_one_transaction(self):
        self.set(1)
        backup = Backup()
        with transaction.atomic():
            self.set(2, 3)
        backup.restore()
        self.assertEqual(self.recover(only_proved=True), [])
        self.assertEqual(self.recover(), [("restored", 1, 3, False)])
        self.assertEqual(self.progress.not_proved, 1)
        self.assertEqual(self.problems(), [])

    def test_a_version_that_a_later_transaction_continued_is_proved(self):
        self.set(1)
        backup = Backup()
        with transaction.atomic():
            self.set(2, 3)
        self.set(4)
        backup.restore()
        self.assertEqual(self.recover(only_proved=True), [("restored", 1, 3, True)])
        self.assertEqual(self.recover(), [("restored", 3, 4, False)])

    def test_a_newest_version_that_was_rolled_back_is_restored_and_marked(self):
        self.set(1)
        backup = Backup()
        self.set(2, 3)
        with rolled_back():
            self.set("undone")
        backup.restore()
        # The transaction that was rolled back continued version 3.
        self.assertEqual(self.recover(only_proved=True), [("restored", 1, 3, True)])
        self.assertEqual(self.recover(), [("restored", 3, 4, False)])
        self.assertEqual(self.told(), ["undone", 3, 2, 1])

    def test_a_version_that_replaced_one_that_was_rolled_back(self):
        self.set(1)
        backup = Backup()
        with rolled_back():
            self.set("undone", "undone too", "undone as well")
        self.set(2)
        lost = stored_rows()
        backup.restore()
        self.assertEqual(self.recover(), [("restored", 1, 2, False)])
        self.assertEqual(stored_rows(), lost)
        self.assertEqual(self.problems(), [("phantom", [4, 3, 2])])

    def test_a_version_that_was_rolled_back_long_before_the_backup_stays_out(self):
        self.set(1)
        with rolled_back():
            self.set("undone")
        self.assertEqual(self.recover(since=timezone.now() + timedelta(hours=2)), [])
        self.assertEqual(self.recover(since=timezone.now() + timedelta(minutes=30)), [("restored", 1, 2, False)])

    def test_since_leaves_out_no_version_that_is_proved(self):
        self.set(1)
        backup = Backup()
        self.set(2, 3)
        backup.restore()
        self.assertEqual(self.recover(since=timezone.now() + timedelta(hours=2)), [("restored", 1, 2, True)])

    def test_a_gap_is_named_and_does_not_hold_up_what_follows(self):
        self.set(1)
        backup = Backup()
        with history_outage():
            self.set(2, 3)
        self.set(4, 5)
        lost = stored_rows()
        backup.restore()
        self.assertEqual(self.recover(), [("restored", 1, 5, False)])
        self.assertEqual(self.rows[0].missing, [2, 3])
        self.assertEqual(stored_rows(), lost)
        self.assertEqual(self.problems(), [("gap", [2, 3])])
        self.assertEqual(self.told(), [5, 4, 1])

    def test_entries_that_the_backup_has_as_pending_and_that_were_delivered_since(self):
        self.set(1)
        with history_outage():
            self.set(2)
        backup = Backup()
        deliver()
        self.set(3, 4)
        lost = stored_rows()
        backup.restore()
        self.assertEqual(PendingHistory.objects.count(), 1)
        self.assertEqual(self.recover(), [("restored", 2, 4, False)])
        self.assertEqual(stored_rows(), lost)
        self.assertEqual(self.told(), [4, 3, 2, 1])
        self.assertEqual(deliver().delivered, 1)
        self.assertEqual(self.problems(), [])

    def test_rows_that_are_as_the_history_has_them_are_not_read(self):
        for number in range(5):
            self.set(1, 2, block=usage(f"block{number}"))
        # Ids and versions of the rows, pending and erased ids, of one batch; the ids after the last one; the sequence.
        with mock.patch.object(recovery, "keep_above"), assert_queries(default=6, student_module_history=6):
            self.assertEqual(self.recover(), [])
        self.assertEqual(self.progress.rows, 5)


class Missing(Recovering):
    """Rows that were made after the backup."""

    def test_a_row_gets_its_id_and_its_time_of_creation(self):
        self.set(1, block=usage("older"))
        backup = Backup()
        self.set(1, 2, 3)
        lost = stored_rows()
        backup.restore()
        self.assertEqual(self.recover(), [("restored", 0, 3, False)])
        self.assertEqual(stored_rows(), lost)
        self.assertEqual(self.problems(), [])

    def test_new_rows_get_ids_above_those_of_the_history(self):
        self.set(1)
        backup = Backup()
        for number in range(3):
            self.set(1, block=usage(f"lost{number}"))
        with rolled_back():
            self.set(1, block=usage("undone"))
        highest = max(StudentModuleHistory.objects.values_list("student_module_id", flat=True))
        backup.restore()
        self.assertEqual(self.recover(only_proved=True), [])
        self.assertEqual(self.progress.next_id, (self.row().pk + 1, highest + 1))
        self.set(1, block=usage("new"))
        self.assertGreater(self.row(usage("new")).pk, highest)
        self.recover()
        self.assertEqual(self.progress.next_id, (highest + 2, highest + 2))

    def test_the_first_row_of_a_table_gets_an_id_above_those_of_the_history(self):
        self.set(1)
        lost = self.row().pk
        with connection.cursor() as cursor:
            unguarded(StudentModule, "default")._raw_delete("default")
            if connection.vendor == "sqlite":
                cursor.execute("DELETE FROM sqlite_sequence WHERE name = %s", [StudentModule._meta.db_table])
        self.recover(only_proved=True)
        self.set(1, block=usage("new"))
        self.assertGreater(self.row(usage("new")).pk, lost)

    def test_the_time_of_creation_where_the_first_entries_are_missing(self):
        backup = Backup()
        self.set(1, 2, 3)
        self.entries(version=1).delete()
        second = StudentModuleHistory.objects.get(version=2)
        backup.restore()
        self.recover()
        self.assertEqual(self.rows[0].missing, [1])
        self.assertEqual((self.row().created, self.row().version), (second.created, 3))

    def test_an_id_that_another_row_has(self):
        backup = Backup()
        self.set(1, 2)
        backup.restore()
        lost = StudentModuleHistory.objects.first().student_module_id
        StudentModuleFactory(pk=lost, module_type="html")
        before = stored_rows()
        self.assertEqual(self.recover(), [("taken", 0, 2, False)])
        self.assertEqual(self.progress.left, 0)
        self.assertEqual(self.recover(only_proved=True), [("taken", 0, 1, True)])
        self.assertEqual(self.progress.left, 1)
        self.assertEqual(stored_rows(), before)

    def test_a_learner_who_has_the_block_under_another_id(self):
        backup = Backup()
        self.set(1, 2, 3)
        backup.restore()
        lost = StudentModuleHistory.objects.first().student_module_id
        StudentModuleFactory(pk=lost + 1, student=self.user, module_state_key=BLOCK)
        self.assertEqual(self.recover(only_proved=True), [("other_row", 0, 2, True)])
        self.assertEqual(self.progress.left, 1)
        self.assertEqual(self.row().version, 1)

    def test_a_row_whose_first_attempt_was_rolled_back(self):
        """The entry of the first attempt has an id of its own, and on SQLite the same one."""
        backup = Backup()
        with rolled_back():
            self.set("undone")
        self.set(1)
        lost = stored_rows()
        backup.restore()
        self.assertEqual(self.recover(), [("restored", 0, 1, False)])
        self.assertEqual(stored_rows(), lost)
        self.assertEqual(self.recover(), [])

    def test_a_row_that_was_replaced_although_no_entry_records_its_deletion(self):
        backup = Backup()
        self.set(1, 2)
        with history_outage():
            self.row().delete()
        self.set(3)
        lost = stored_rows()
        backup.restore()
        self.assertEqual(self.recover(only_proved=True), [("other_row", 0, 1, True)])
        self.assertEqual(self.recover()[-1], ("restored", 0, 1, False))
        self.assertEqual(stored_rows(), lost)

    def test_a_first_attempt_after_the_restore_that_was_rolled_back(self):
        backup = Backup()
        self.set(1)
        lost, moment = stored_rows(), timezone.now()
        backup.restore()
        self.recover(only_proved=True)
        with rolled_back():
            self.set("undone")
        self.assertEqual(self.recover(until=moment), [("restored", 0, 1, False)])
        self.assertEqual(stored_rows(), lost)

    def test_a_learner_who_is_missing(self):
        backup = Backup()
        self.set(1)
        backup.restore()
        self.user.__class__._base_manager.filter(pk=self.user.pk)._raw_delete("default")
        self.assertEqual(self.recover(), [("missing_learner", 0, 1, False)])
        self.assertEqual((self.progress.left, stored_rows()), (1, []))
        self.user.save(force_insert=True)
        self.assertEqual(self.recover(), [("restored", 0, 1, False)])

    def test_a_learner_who_is_deleted_before_the_row_is_committed(self):
        backup = Backup()
        self.set(1)
        backup.restore()
        with mock.patch.object(rows, "insert", side_effect=IntegrityError):
            with self.assertRaises(IntegrityError):
                self.recover()
            with mock.patch("kvstore.storage.recovery._has_learner", side_effect=[True, True, True, False]):
                self.assertEqual(self.recover(), [("missing_learner", 0, 1, False)])

    def test_a_row_that_another_session_inserts_first(self):
        backup = Backup()
        self.set(1, 2)
        lost = stored_rows()
        backup.restore()
        insert, raced = rows.insert, []

        def insert_late(model, new, using):
            if not raced:
                raced.append(True)
                raise IntegrityError
            insert(model, new, using)

        with mock.patch.object(rows, "insert", insert_late):
            self.assertEqual(self.recover(), [("restored", 0, 2, False)])
        self.assertEqual(stored_rows(), lost)


class Deleted(Recovering):
    def test_a_row_that_was_deleted_after_the_backup_is_deleted(self):
        self.set(1, 2)
        self.set(1, block=usage("kept"))
        backup = Backup()
        self.set(3)
        self.row().delete()
        lost, entries = stored_rows(), StudentModuleHistory.objects.count()
        backup.restore()
        self.assertEqual(self.recover(only_proved=True), [("deleted", 2, 4, True)])
        self.assertEqual(stored_rows(), lost)
        self.assertEqual(StudentModuleHistory.objects.count() + PendingHistory.objects.count(), entries)
        self.assertEqual(self.problems(), [])
        self.assertEqual(self.told(), [None, 3, 2, 1])

    def test_a_deletion_proves_every_version_before_it(self):
        self.set(1)
        backup = Backup()
        with transaction.atomic():
            self.set(2)
            self.row().delete()
        backup.restore()
        self.assertEqual(self.recover(only_proved=True), [("deleted", 1, 3, True)])

    def test_a_row_that_was_made_and_deleted_after_the_backup_stays_missing(self):
        backup = Backup()
        self.set(1)
        self.row().delete()
        backup.restore()
        self.assertEqual(self.recover(), [])

    def test_a_block_that_was_begun_anew_after_its_row_was_deleted(self):
        self.set(1)
        backup = Backup()
        self.row().delete()
        self.set(2, 3)
        lost = stored_rows()
        backup.restore()
        self.assertEqual(self.recover(), [("deleted", 1, 2, True), ("restored", 0, 2, False)])
        self.assertEqual(stored_rows(), lost)
        self.assertEqual(self.told(), [3, 2, None, 1])

    @override_settings(HISTORY_ON_DELETE="erase")
    def test_a_row_whose_entries_were_erased_is_named(self):
        self.set(1)
        backup = Backup()
        self.row().delete()
        backup.restore()
        before = stored_rows()
        self.assertEqual(self.recover(), [("erased", 1, None, False)])
        self.assertEqual((self.progress.left, stored_rows()), (1, before))


class Diverged(Recovering):
    """Rows that were written to between the restore of the backup and the recovery."""

    def test_a_row_is_not_overwritten(self):
        self.set(1)
        backup = Backup()
        self.set(2, 3, 4)
        backup.restore()
        self.set("new")
        before = stored_rows()
        self.assertEqual(self.recover(), [("diverged", 2, None, True)])
        self.assertEqual((self.rows[0].versions, self.progress.left), ([2, 3], 1))
        self.assertEqual(stored_rows(), before)

    def test_a_row_that_has_passed_the_lost_versions(self):
        self.set(1)
        backup = Backup()
        self.set(2, 3)
        backup.restore()
        self.set("new", "newer", "newest")
        self.assertEqual(self.recover(), [("diverged", 4, None, True)])
        self.assertEqual(self.rows[0].versions, [2])

    def test_a_row_whose_new_version_is_pending(self):
        self.set(1)
        backup = Backup()
        self.set(2, 3)
        backup.restore()
        with history_outage():
            self.set("new", "newer")
        self.assertEqual(self.recover(), [("diverged", 3, None, True)])

    def test_versions_above_a_gap_are_older_than_the_row(self):
        self.set(1)
        backup = Backup()
        with history_outage():
            self.set(2, 3)
        self.set(4, 5)
        backup.restore()
        self.set("new")
        before = stored_rows()
        self.assertEqual(self.recover(), [("diverged", 2, None, True)])
        self.assertEqual(stored_rows(), before)

    def test_a_version_without_proof_is_taken_for_rolled_back(self):
        self.set(1)
        backup = Backup()
        self.set(2)
        backup.restore()
        self.set("new")
        self.assertEqual(self.recover(), [])

    def test_of_two_lost_branches_the_one_that_was_in_use_last_is_restored(self):
        self.set(1)
        backup = Backup()
        self.set(2, 3, 4, 5, 6)
        backup.restore()
        self.set("new", "newer", "newest")
        lost = stored_rows()
        backup.restore()
        self.assertEqual(self.recover(), [("restored", 1, 4, False), ("diverged", 1, None, True)])
        self.assertEqual(self.rows[1].versions, [2, 3, 4, 5])
        self.assertEqual(stored_rows(), lost)
        self.assertEqual(self.recover(), [("diverged", 4, None, True)])

    def write_after_planning(self, times):
        """Let the learner write before the row is locked, so many times."""
        entry_of, left = recovery.entry_of, list(range(times))

        def write_first(link):
            if left:
                left.pop()
                self.set(f"meanwhile {len(left)}")
            return entry_of(link)

        return mock.patch.object(recovery, "entry_of", write_first)

    def test_a_row_that_a_learner_writes_to_meanwhile(self):
        self.set(1)
        backup = Backup()
        self.set(2, 3)
        backup.restore()
        with self.write_after_planning(1):
            self.assertEqual(self.recover(), [("diverged", 2, None, True)])
        self.assertEqual(self.told(), ["meanwhile 0", 1])

    def test_a_row_that_is_made_meanwhile(self):
        backup = Backup()
        self.set(1, 2, 3)
        backup.restore()
        with self.write_after_planning(1):
            self.assertEqual(self.recover(only_proved=True), [("other_row", 0, 2, True)])

    def test_a_version_of_a_transaction_that_is_rolled_back_during_the_recovery(self):
        self.set(1)
        backup = Backup()
        self.set(2)
        backup.restore()
        suspects = recovery.suspects

        def write(ids):
            with rolled_back():
                self.set("undone")
            return suspects(ids)

        with mock.patch.object(recovery, "suspects", write):
            self.assertEqual(self.recover(), [("restored", 1, 2, False)])
        self.assertEqual(self.told(), [2, 1])


class Unusable(Recovering):
    def lose(self):
        self.set(1)
        backup = Backup()
        self.set(2, 3, 4)
        backup.restore()

    def test_an_altered_entry_is_named_and_not_used(self):
        self.lose()
        self.entries(version=4).update(state='{"a":"forged"}')
        self.assertEqual(self.recover(), [("restored", 1, 3, False), ("altered", 1, 4, False)])
        self.assertEqual(self.progress.left, 1)
        self.assertEqual(self.told(), [3, 2, 1])

    def test_an_entry_whose_block_is_no_key(self):
        backup = Backup()
        self.set(1)
        lost = StudentModuleHistory.objects.get().student_module_id
        backup.restore()
        with connections["student_module_history"].cursor() as cursor:
            cursor.execute("UPDATE xblock_history_studentmodulehistory SET module_state_key = 'no key'")
        self.assertEqual(self.recover(), [("altered", 0, 1, False)])
        self.assertEqual((self.rows[0].row_id, self.rows[0].block), (lost, "no key"))

    def test_an_altered_entry_that_is_the_only_one(self):
        self.set(1)
        backup = Backup()
        self.set(2)
        backup.restore()
        self.entries(version=2).update(grade=100)
        before = stored_rows()
        for _ in range(2):
            self.assertEqual(self.recover(), [("altered", 1, 2, False)])
        self.assertEqual(stored_rows(), before)

    def test_a_digest_of_a_newer_format_is_named_and_not_used(self):
        self.lose()
        entry = self.entries(version=4).get()
        self.entries(version=4).update(digest=b"\x02" + entry.digest[1:])
        self.assertEqual(self.recover(), [("restored", 1, 3, False), ("unknown_format", 1, 4, False)])
        self.entries(version=4).update(digest=entry.digest)
        self.assertEqual(self.recover(), [("restored", 3, 4, False)])

    def test_an_entry_that_is_gone_by_the_time_it_is_read(self):
        self.lose()
        entry_of = recovery.entry_of

        def erased(link):
            return entry_of(link) if link.version < 4 else None

        with mock.patch.object(recovery, "entry_of", erased):
            self.assertEqual(self.recover(), [("restored", 1, 3, False)])


class Runs(Recovering):
    """What a run leaves that ends early, is made twice, or writes nothing."""

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
            with self.subTest(size=size):
                progress = Recovery()
                with self.assertRaises(Interrupted):
                    recover(progress, batch_size=size, after_batch=mock.Mock(side_effect=[None, Interrupted()]))
                rest = Recovery(last_id=progress.last_id)
                recover(rest, batch_size=size)
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

    def test_a_row_whose_lock_is_held_is_named_and_does_not_hold_up_the_others(self):
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

    def test_a_run_that_is_stopped_says_where_to_continue(self):
        progress = Recovery()
        recover(progress, stop=lambda: progress.results["restored"] >= 2)
        self.assertEqual(progress.results, {"restored": 2})
        self.assertEqual(len(self.recover(after=progress.last_id)), 4)
        self.assertEqual(stored_rows(), self.lost)

    def test_learners_work_on_other_rows_meanwhile(self):
        numbers = count()
        recover(Recovery(), batch_size=1, after_batch=lambda: self.set(1, block=usage(f"new{next(numbers)}")))
        self.assertEqual(stored_rows()[:6], self.lost)
        self.assertEqual(len(stored_rows()), 12)
        self.assertEqual(self.problems(), [])


class Command(Recovering):
    def command(self, *arguments, code=0, **options):
        """Run the command, and return the lines of its report, the sums last, and the message."""
        output, errors, message = io.StringIO(), io.StringIO(), ""
        try:
            call_command("recover_state", *arguments, stdout=output, stderr=errors, **options)
            self.assertEqual(code, 0)
        except CommandError as error:
            self.assertEqual(error.returncode, code)
            message = str(error)
        return [json.loads(line) for line in output.getvalue().splitlines()], message + errors.getvalue()

    def test_the_report(self):
        self.set(1)
        self.client.set(self.user.username, usage("text", "html"), {"a": 1})
        backup = Backup()
        self.set(2)
        backup.restore()
        (row, sums), _message = self.command()
        entry = StudentModuleHistory.objects.get(version=2)
        self.assertEqual(
            row,
            {
                "row": entry.student_module_id,
                "result": "restored",
                "learner_id": self.user.pk,
                "course": str(entry.course_id),
                "block": str(BLOCK),
                "from_version": 1,
                "to_version": 2,
                "proved": False,
                "written": entry.created.isoformat(),
                "missing": [],
                "versions": [],
                "detail": "",
            },
        )
        self.assertEqual((sums["results"], sums["not_proved"], sums["left"]), ({"restored": 1}, 1, 0))
        self.assertEqual(
            sums["not_in_history"],
            {
                "columns": ["done"],
                "scopes": ["preferences", "user_info", "user_state_summary"],
                "block_types": {"html": 1},
            },
        )
        self.assertEqual((sums["rows"], sums["last_id"]), (1, entry.student_module_id))

    @override_settings(HISTORY_BLOCK_TYPES="*")
    def test_where_every_block_type_is_recorded(self):
        self.client.set(self.user.username, usage("text", "html"), {"a": 1})
        (sums,), _message = self.command()
        self.assertEqual(sums["not_in_history"]["block_types"], {})

    def test_rows_that_are_left_are_exit_code_1(self):
        self.set(1)
        backup = Backup()
        self.set(2, 3)
        backup.restore()
        self.set("new")
        (row, sums), message = self.command(code=1)
        self.assertEqual((row["result"], sums["left"]), ("diverged", 1))
        self.assertIn("1 results need a decision", message)

    def test_a_database_that_fails(self):
        self.set(1)
        backup = Backup()
        self.set(2)
        backup.restore()
        with history_outage():
            lines, message = self.command(code=1)
        self.assertIn("A database failed: ", message)
        self.assertIn("recover_state --after 0` to continue", message)
        self.assertEqual(lines[-1]["last_id"], 0)
        self.assertEqual(self.row().version, 1)

    def test_a_command_that_is_stopped(self):
        self.set(1, 2)

        @contextmanager
        def stopped():
            yield mock.Mock(is_set=lambda: True)

        with mock.patch("history.management.commands.recover_state.stopped_by_signals", stopped):
            (sums,), message = self.command(code=3)
        self.assertIn("The command was stopped. ", message)
        self.assertEqual(sums["rows"], 0)

    def test_one_database(self):
        self.set(1)
        with override_settings(HISTORY_DATABASE_ALIAS="default"), mock.patch.object(recovery, "suspects") as suspects:
            (sums,), message = self.command()
        suspects.assert_not_called()
        self.assertIn("HISTORY_DATABASE_ALIAS is 'default'", message)
        self.assertEqual((sums["rows"], sums["results"]), (0, {}))

    def test_a_history_database_that_is_not_configured(self):
        with alias_missing():
            _lines, message = self.command(code=1)
        self.assertIn("absent", message)

    def test_bad_arguments(self):
        for argument in ("--after=-1", "--batch-size=0", "--sleep=-1", "--sleep=nan", "--since=yesterday"):
            with self.subTest(argument=argument), self.assertRaises(CommandError):
                call_command("recover_state", argument, stdout=io.StringIO())

    def test_options(self):
        self.set(1)
        backup = Backup()
        self.set(2, 3)
        backup.restore()
        (row, sums), _message = self.command("--dry-run", "--only-proved", "--since=2020-01-01", "--until=2100-01-01")
        self.assertEqual((row["to_version"], row["proved"], sums["dry_run"]), (2, True, True))
        self.assertEqual(self.row().version, 1)
        (sums,), _message = self.command(f"--after={row['row']}")
        self.assertEqual(sums["rows"], 0)
