"""The version that was current at a given time.

Everything rolls back on both aliases.
"""

from datetime import datetime, timedelta
from unittest import mock

from django.utils import timezone

from history.api import as_of
from kvstore.models import StudentModule
from kvstore.testing import assert_queries
from tests.history.outages import rolled_back
from tests.history.reading.test_timeline import BLOCK, TimelineTestCase


class AsOf(TimelineTestCase):
    def test_the_version_that_held_at_a_moment(self):
        moments = []
        for answer in (1, 2, 3):
            self.set(answer)
            moments.append(StudentModule.objects.get().modified)
        tick = timedelta(microseconds=1)
        for version, moment in enumerate(moments, start=1):
            self.assertEqual(as_of(self.user, BLOCK, moment).version, version)
        self.assertEqual(as_of(self.user, BLOCK, moments[1] - tick).version, 1)
        self.assertEqual(as_of(self.user, BLOCK, timezone.now()).version, 3)
        self.assertIsNone(as_of(self.user, BLOCK, moments[0] - tick))

    def test_after_a_deletion_the_state_is_missing(self):
        self.set(1)
        StudentModule.objects.get().delete()
        self.assertEqual(as_of(self.user, BLOCK, timezone.now()).action, "deleted")

    def test_a_pending_version(self):
        self.set(1)
        with mock.patch("history.recording.receivers.try_entries", return_value=False):
            self.set(2)
        self.assertEqual(as_of(self.user, BLOCK, timezone.now()).version, 2)

    def test_a_version_that_was_rolled_back_was_never_current(self):
        self.set(1)
        with rolled_back():
            self.set("never")
        self.assertEqual(as_of(self.user, BLOCK, timezone.now()).version, 1)

    def test_it_reads_one_entry(self):
        for answer in range(5):
            self.set(answer)
        with assert_queries(default=2, student_module_history=1):
            as_of(self.user, BLOCK, timezone.now())

    def test_a_moment_is_shown_with_its_time_zone(self):
        with self.assertRaisesMessage(ValueError, "pass an aware datetime"):
            as_of(self.user, BLOCK, datetime(2026, 1, 1))  # noqa: DTZ001  that is the point
