"""The next versions of locked rows. Each state is encoded once, for the row, the digest and the record set."""

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from json.encoder import c_make_encoder, encode_basestring_ascii  # type: ignore[attr-defined]
from typing import Any, NamedTuple

from bench import course

TICK = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Locked = tuple[int, str, str, float | None, float | None, int, Any, str | None]
"""id, key, state, grade, max_grade, version, modified as the driver reads it, digest in hex"""

Version = tuple[int, int, str, str, str, float | None, float | None, str | None, str]
"""row id, version, key, state, state as a JSON string, grade, max_grade, digest before and digest, both in hex"""

# json.loads and JSONEncoder.encode call these functions, and create more objects for each call.
_scan = json.JSONDecoder().scan_once
_encode = c_make_encoder(None, None, encode_basestring_ascii, None, ":", ",", False, False, True)


class Batch(NamedTuple):
    """The versions that one transaction writes."""

    learner_id: int
    course_id: str
    now: datetime
    transaction_id: int
    versions: list[Version]

    def records(self) -> str:
        """Return the versions as one JSON list of objects with keys of one letter."""
        return "[" + ",".join([_record(version) for version in self.versions]) + "]"


def next_versions(
    learner_id: int,
    course_id: str,
    rows: Sequence[Locked],
    field: str,
    values: Mapping[str, Any],
    last_modified: datetime,
) -> Batch:
    """Return the next version of each row, with the field set and the digest in the store's format."""
    now = max(course.now(), last_modified + TICK)
    transaction_id = secrets.randbits(63) or 1
    middle = f',"changed",{learner_id},"{course_id}","'
    end = f',{(now - EPOCH) // TICK},null,"","",null,null,{transaction_id}]'
    versions = []
    for row_id, key, state, grade, max_grade, version, _, previous in rows:
        fields, _ = _scan(state, 0)
        fields[field] = values[key]
        text = "".join(_encode(fields, 0))
        quoted = encode_basestring_ascii(text)
        covered = (
            f'["student-module-history/1",{_hex(previous)},{row_id},{version + 1}{middle}{key}","problem",{quoted},'
            f"{_number(grade)},{_number(max_grade)}{end}"
        )
        digest = "01" + hashlib.sha256(covered.encode()).hexdigest()
        versions.append((row_id, version + 1, key, text, quoted, grade, max_grade, previous, digest))
    return Batch(learner_id, course_id, now, transaction_id, versions)


def parse(state: str) -> dict[str, Any]:
    """Return the fields of a stored state. The text must begin with its brace."""
    fields: dict[str, Any] = _scan(state, 0)[0]
    return fields


def _record(version: Version) -> str:
    row_id, number, key, _, quoted, grade, max_grade, previous, digest = version
    return (
        f'{{"i":{row_id},"v":{number},"k":"{key}","s":{quoted},"g":{_number(grade)},"m":{_number(max_grade)},'
        f'"p":{_hex(previous)},"d":"{digest}"}}'
    )


def _hex(digest: str | None) -> str:
    return "null" if digest is None else f'"{digest}"'


def _number(grade: float | None) -> str:
    # Some databases do not store the sign of zero.
    return "null" if grade is None else repr(grade + 0.0)
