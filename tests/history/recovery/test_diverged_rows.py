"""Recovery leaves rows that were written to after the restore, and names them."""

from unittest import mock

from history.recovery import recover as recovery
from tests.history.outages import history_outage, rolled_back
from tests.history.recovery.backups import Backup, stored_rows
from tests.history.recovery.case import RecoveryTestCase


class Diverged(RecoveryTestCase):
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

    def test_a_row_with_a_pending_new_version(self):
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

    def test_a_version_without_proof_counts_as_rolled_back(self):
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
        """Write for the learner before the row is locked, so many times."""
        entry_of, left = recovery.read_entry, list(range(times))

        def write_first(link):
            if left:
                left.pop()
                self.set(f"meanwhile {len(left)}")
            return entry_of(link)

        return mock.patch.object(recovery, "read_entry", write_first)

    def test_a_row_that_a_learner_writes_to_meanwhile(self):
        self.set(1)
        backup = Backup()
        self.set(2, 3)
        backup.restore()
        with self.write_after_planning(1):
            self.assertEqual(self.recover(), [("diverged", 2, None, True)])
        self.assertEqual(self.timeline_values(), ["meanwhile 0", 1])

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
        suspects = recovery.candidate_ids

        def write(ids):
            with rolled_back():
                self.set("undone")
            return suspects(ids)

        with mock.patch.object(recovery, "candidate_ids", write):
            self.assertEqual(self.recover(), [("restored", 1, 2, False)])
        self.assertEqual(self.timeline_values(), [2, 1])
