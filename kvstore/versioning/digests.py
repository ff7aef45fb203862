"""The digest of a version: a SHA-256 of its values and of the digest of the row's previous version.

Thus the digest of a row identifies its complete history, as the hash of a commit does in git.
docs/reference/digests.md specifies the format.
"""

import hashlib
from datetime import UTC, datetime, timedelta

from django.utils import timezone

from kvstore.signals import StateVersion
from kvstore.versioning.codec import encoder

FORMAT = 1
TAG = f"student-module-history/{FORMAT}"
DIGEST_LENGTH = 33
"""bytes: one for the format, 32 of SHA-256"""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

# Equal values have equal bytes: ASCII, no white space, and the shortest digits of a float that read back the same.
_encode = encoder(allow_nan=True)


def digest_of(version: StateVersion) -> bytes:
    """Return the digest of a version; its attribute ``digest`` is not used."""
    return bytes([FORMAT]) + hashlib.sha256(encoded(version)).digest()


def encoded(version: StateVersion) -> bytes:
    """Return the bytes that the digest covers: a JSON list of the format's tag and the values.

    Version 1 has null instead of the row's id, which the database generates after the digest is computed.
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
    """Return the microseconds since 1970 in UTC. A naive datetime is in the time zone of the settings."""
    if timezone.is_naive(moment):
        moment = timezone.make_aware(moment, timezone.get_default_timezone())
    return (moment - EPOCH) // MICROSECOND


def format_of(digest: bytes | None) -> int:
    """Return the format number of a stored digest; 0 for other bytes."""
    return digest[0] if digest and len(digest) == DIGEST_LENGTH else 0
