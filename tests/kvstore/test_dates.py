"""Times have one format, with the name of their zone."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from django.test import SimpleTestCase, override_settings
from django.utils import timezone

from kvstore.staff.dates import format_moment

MOMENT = datetime(2026, 1, 31, 13, 30, 5, 42, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


class FormatMoment(SimpleTestCase):
    def test_it_is_in_the_current_zone(self):
        self.assertEqual(format_moment(MOMENT), "2026-01-31 13:30:05 UTC")
        with timezone.override(BERLIN):
            self.assertEqual(format_moment(MOMENT), "2026-01-31 14:30:05 CET")
            self.assertEqual(format_moment(MOMENT.replace(month=7)), "2026-07-31 15:30:05 CEST")

    def test_another_zone_and_microseconds_are_options(self):
        self.assertEqual(format_moment(MOMENT, BERLIN), "2026-01-31 14:30:05 CET")
        self.assertEqual(format_moment(MOMENT, exact=True), "2026-01-31 13:30:05.000042 UTC")

    @override_settings(USE_TZ=False, TIME_ZONE="Europe/Berlin")
    def test_a_naive_time_is_in_the_default_zone(self):
        self.assertEqual(format_moment(datetime(2026, 7, 31, 15, 30, 5)), "2026-07-31 15:30:05 CEST")  # noqa: DTZ001
