"""The digest of a version: a SHA-256 over all its values and over the digest of the row's previous version.

Because each digest covers the one before it, the digest that a row holds identifies its complete history, as the
hash of a commit does in git. docs/reference/digests.md specifies the format byte by byte.
"""

import hashlib
import json
from datetime import UTC, datetime, timedelta

from django.utils import timezone

from kvstore.signals import StateVersion

FORMAT = 1
TAG = f"student-module-history/{FORMAT}"
DIGEST_LENGTH = 33
"""bytes: one for the format, 32 of SHA-256"""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

# ASCII and without white space, so that equal values are equal bytes. repr() writes each float with the digits
# that read back the same on every database.
_encode = json.JSONEncoder(separators=(",", ":")).encode


def digest_of(version: StateVersion) -> bytes:
    """Return the digest of a version; the ``digest`` that it has already does not count."""
    return bytes([FORMAT]) + hashlib.sha256(encoded(version)).digest()


def encoded(version: StateVersion) -> bytes:
    """Return the bytes that the digest covers: a JSON list of the format's tag and the values in order.

    The database gives a new row its id after version 1 was computed, so version 1 has null in place of the id.
    """
    values = [
        TAG,
        None if version.previous is None else version.previous.hex(),
        None if version.version == 1 else version.student_module_id,
        version.version,
        version.action,
        version.student_id,
        version.course_id,
        version.module_state_key,
        version.module_type,
        version.state,
        _number(version.grade),
        _number(version.max_grade),
        microseconds(version.created),
        version.actor_id,
        version.reason,
        version.request_id,
        version.source_id,
        version.source_version,
        version.transaction_id,
    ]
    return _encode(values).encode("ascii")


def _number(grade: float | None) -> float | None:
    # SQLite does not store the sign of zero.
    return None if grade is None else float(grade) + 0.0


def microseconds(moment: datetime) -> int:
    """Return a moment as microseconds since 1970 in UTC; one without a time zone is in that of the settings."""
    if timezone.is_naive(moment):
        moment = timezone.make_aware(moment, timezone.get_default_timezone())
    return (moment - EPOCH) // MICROSECOND


def format_of(digest: bytes | None) -> int:
    """Return the number of the format that a stored digest has; 0 for bytes that are no digest."""
    return digest[0] if digest and len(digest) == DIGEST_LENGTH else 0
