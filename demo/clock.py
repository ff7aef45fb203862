"""The clock of the store at times in the past, because the demo's work is spread over weeks."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from unittest import mock

from django.utils import timezone

from kvstore.versioning import versions

DAYS = 35
"""from the first work of the class until the demo is loaded"""


def first_day() -> datetime:
    """Return the midnight at which the weeks of the demo begin, if it is loaded now."""
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - timedelta(days=DAYS)


@contextmanager
def clock_at(moment: datetime) -> Iterator[None]:
    """Give the versions written inside this time; a later one if their row already has a later version.

    The time is a part of the version before its digest is computed, so the chain of digests is valid. Applies to all
    threads of the process: use it in commands only.
    """
    with mock.patch.object(versions, "now", lambda: moment):
        yield
