"""A database that is lost under load: what its backup lacks is recovered from the history, or reported as missing."""

from tests.faults.case import BLOCKS, FaultCase
from tests.faults.disasters import lose_the_history, lose_the_state

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


class LossOfTheHistory(FaultCase):
    def test_what_the_history_lost_is_reported_and_no_timeline_claims_to_be_complete(self):
        found = lose_the_history(self.stage, self.folder, self.learners, BLOCKS, seconds=SECONDS)
        self.assertEqual(found["problems"], {})
        self.assertGreater(found["rows_with_missing_versions"], 0)
        self.assertGreater(found["verify_found"]["gap"], 0)
