"""Format times for staff, and parse those that staff type: ISO 8601, in the current time zone by default."""

from datetime import UTC, datetime, time, timedelta, tzinfo

from django.conf import settings
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _

MAX_LENGTH = 40
"""characters; Python reads any number of digits of a second"""


class InvalidFilterValue(ValueError):
    """A filter cannot use the typed value; the message is for staff."""


def format_moment(moment: datetime, zone: tzinfo | None = None, *, exact: bool = False) -> str:
    """Return a time with seconds and the name of its zone, such as ``2026-01-31 14:30:05 CET``.

    The zone is the current one by default; ``exact`` adds microseconds. A naive time is in the default time zone.
    """
    aware = moment if timezone.is_aware(moment) else timezone.make_aware(moment, timezone.get_default_timezone())
    local = timezone.localtime(aware, zone)
    return f"{local:%Y-%m-%d %H:%M:%S.%f %Z}" if exact else f"{local:%Y-%m-%d %H:%M:%S %Z}"


def earliest(text: str) -> datetime:
    """Return the first moment that ``text`` may mean; for a date, its beginning. Raises InvalidFilterValue."""
    return min(_moments(text, days=0))


def latest(text: str) -> datetime:
    """Return the last moment that ``text`` may mean; for a date, the beginning of the next day.

    Raises InvalidFilterValue.
    """
    return max(_moments(text, days=1))


def input_value(text: str) -> str:
    """Return the value for an ``<input type="datetime-local">``; empty if ``text`` is not valid."""
    try:
        moment = _parse(text, days=0)
        return (timezone.make_naive(moment) if timezone.is_aware(moment) else moment).strftime("%Y-%m-%dT%H:%M:%S")
    except (ValueError, OverflowError):
        return ""


def _moments(text: str, *, days: int) -> list[datetime]:
    try:
        moment = _parse(text, days)
        if not settings.USE_TZ:
            return [timezone.make_naive(moment) if timezone.is_aware(moment) else moment]
        zone = moment.tzinfo or timezone.get_current_timezone()
        # A local time may occur twice or not at all when clocks change: return both readings.
        return [moment.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
    except (ValueError, OverflowError) as error:
        raise InvalidFilterValue(
            _("%(text)r is not a time; write it like 2026-01-31 or 2026-01-31 14:30.") % {"text": text[:100]}
        ) from error


def _parse(text: str, days: int) -> datetime:
    """Return the moment, and for a date the moment ``days`` after its beginning. Raises ValueError or OverflowError."""
    if len(text) > MAX_LENGTH:
        raise ValueError(text)
    date = parse_date(text)
    moment = datetime.combine(date, time.min) + timedelta(days) if date else parse_datetime(text)
    if moment is None:
        raise ValueError(text)
    return moment
