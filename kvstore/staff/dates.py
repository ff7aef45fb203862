"""Moments as staff type them, in the current time zone."""

from datetime import UTC, datetime, time, timedelta

from django.conf import settings
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _

MAX_LENGTH = 40
"""characters"""


class InvalidFilterValue(ValueError):
    """What was typed cannot be asked for; the message says so to staff."""


def earliest(text: str) -> datetime:
    """Return the first moment that ``text`` may mean; of a day, its beginning. Raises NotUnderstood."""
    return min(_moments(text, timedelta(0)))


def latest(text: str) -> datetime:
    """Return the last moment that ``text`` may mean; of a day, the beginning of the next. Raises NotUnderstood."""
    return max(_moments(text, timedelta(days=1)))


def shown_in_form(text: str) -> str:
    """Return a moment as a browser's field for one takes it; empty where ``text`` is none."""
    try:
        return _naive(text, timedelta(0))[0].strftime("%Y-%m-%dT%H:%M:%S") if text else ""
    except InvalidFilterValue:
        return ""


def _moments(text: str, day: timedelta) -> list[datetime]:
    naive, aware = _naive(text, day)
    if not settings.USE_TZ:
        return [naive]
    if aware is not None:
        return [aware]
    # Where clocks are put back an hour comes twice, and where they are put forward it never does: both readings.
    zone = timezone.get_current_timezone()
    try:
        return [naive.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
    except OverflowError as error:
        raise _not_understood(text) from error


def _naive(text: str, day: timedelta) -> tuple[datetime, datetime | None]:
    """Return the moment in the current time zone, and as it is where ``text`` says its own."""
    if len(text) > MAX_LENGTH:
        # Python takes any number of digits behind what it reads.
        raise _not_understood(text)
    try:
        date = parse_date(text)
        if date is not None:
            return datetime.combine(date, time.min) + day, None
        moment = parse_datetime(text)
        if moment is not None and timezone.is_aware(moment):
            return timezone.make_naive(moment), moment
    except (ValueError, OverflowError) as error:
        raise _not_understood(text) from error
    if moment is None:
        raise _not_understood(text)
    return moment, None


def _not_understood(text: str) -> InvalidFilterValue:
    return InvalidFilterValue(
        _("%(text)r is no time; write it like 2026-01-31 or 2026-01-31 14:30.") % {"text": text[:100]}
    )
