"""After `default` is lost under load, recovery restores the missing versions or reports them."""

from pathlib import Path
from tempfile import mkdtemp

from tests.faults.case import BLOCKS, FaultCase
from tests.faults.disasters import line_place, lose, lose_the_history, lose_the_state, report

SECONDS = 3


class LossOfTheState(FaultCase):
    def test_every_acknowledged_write_is_back_after_recovery(self):
        found = lose_the_state(self.stage, self.folder, self.learners, BLOCKS, seconds=SECONDS)
        self.assertEqual(found["problems"], {})
        self.assertGreater(found["writes_missing_before_recovery"], 0)
        self.assertEqual(found["writes_missing_after_recovery"], 0)

    def test_every_acknowledged_write_is_back_after_a_recovery_that_is_killed_and_continued(self):
        found = lose_the_state(self.stage, self.folder, self.learners, BLOCKS, seconds=SECONDS, kills=3)
        self.assertEqual(found["problems"], {})
        self.assertGreater(found["writes_missing_before_recovery"], 0)
        self.assertEqual(found["writes_missing_after_recovery"], 0)


class WritesDuringARecovery(FaultCase):
    def test_writes_that_are_made_during_a_recovery_are_kept(self):
        lose(self.stage, self.stage.state, self.folder, self.learners, BLOCKS, writers=4, seconds=SECONDS)
        meanwhile = Path(mkdtemp(dir=self.stage.folder))
        writers = [self.stage.write(meanwhile, learners=self.learners, blocks=BLOCKS) for _ in range(2)]
        recovery = self.stage.recover("--sleep=0.02", batch_size=1)
        self.assertIn(recovery.wait(), {0, 1}, recovery.output)
        for writer in writers:
            writer.kill()
        self.stage.wait_until_quiet()
        journals, after = self.stage.compare(meanwhile)
        self.assertEqual((journals.failed, after.missing_writes), ([], []))
        self.assertTrue(journals.writes)
        # A row that was written to before it was recovered is named, and is as it was.
        left = {line_place(line) for line in report(recovery) if line.get("result") == "diverged"}
        lost = self.stage.compare(self.folder)[1].missing_writes
        self.assertLessEqual({text.partition(": ")[0] for text in lost}, left)


class LossOfTheHistory(FaultCase):
    def test_lost_entries_are_reported_and_no_timeline_is_complete(self):
        found = lose_the_history(self.stage, self.folder, self.learners, BLOCKS, seconds=SECONDS)
        self.assertEqual(found["problems"], {})
        self.assertGreater(found["rows_with_missing_versions"], 0)
        self.assertGreater(found["verify_found"]["gap"], 0)
