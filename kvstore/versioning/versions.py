"""Makes the next version of a locked or new row, and sends the signal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.utils import timezone

from kvstore.exceptions import UnstorableScore, UnstorableValue
from kvstore.signals import CREATED, StateVersion, state_written
from kvstore.versioning import codec
from kvstore.versioning.context import Origin
from kvstore.versioning.digests import digest_of

SCORE_COLUMNS = ("grade", "max_grade")
RECORDED_COLUMNS = ("state", *SCORE_COLUMNS)
"""columns of which every change makes a version"""
VERSION_COLUMNS = (*RECORDED_COLUMNS, "version", "modified", "digest")

TICK = timedelta(microseconds=1)


class Values(NamedTuple):
    """The values of the recorded columns."""

    state: str | None
    grade: float | None
    max_grade: float | None


@dataclass(slots=True)
class Row:
    """One row of StudentModule, stored or new, with its keys as text."""

    student_id: int
    course_id: str
    module_state_key: str
    module_type: str
    state: str | None = None
    grade: float | None = None
    max_grade: float | None = None
    done: str = "na"
    version: int = 0
    # None before the first version, as on an instance.
    created: Any = None
    modified: Any = None
    digest: bytes | None = None
    id: Any = None

    @property
    def values(self) -> Values:
        return Values(self.state, self.grade, self.max_grade)


COLUMNS = tuple(column.name for column in fields(Row))
NEW_COLUMNS = tuple(name for name in COLUMNS if name != "id")
IDENTITY = ("student_id", "course_id", "module_state_key")


def checked(values: Values, where: str) -> Values:
    """Return ``values`` if they can be stored. Raises UnstorableValue or UnstorableScore, which name ``where``."""
    try:
        codec.loads_state(values.state)
    except ValueError as error:
        raise UnstorableValue(f"state of {where} cannot be stored: {error}; pass the text of a JSON object.") from error
    scores = (checked_score(getattr(values, column), f"{column} of {where}") for column in SCORE_COLUMNS)
    return Values(values.state, *scores)


def checked_score(score: Any, where: str) -> float | None:
    """Return ``score`` if it is None or a finite number. Raises UnstorableScore."""
    if score is None:
        return None
    try:
        if not isinstance(score, bool) and isinstance(score, (int, float)) and math.isfinite(score):
            return float(score)
    except OverflowError:
        pass
    raise UnstorableScore(f"{where} is {score!r:.60}; pass a finite number or None.")


def make_first_version(row: Row, now: datetime, origin: Origin) -> StateVersion:
    """Give a new row, which was checked, version 1 and return the version."""
    row.version, row.digest = 0, None
    return make_next_version(row, row.values, now, origin, CREATED)


def make_next_version(row: Row, values: Values, now: datetime, origin: Origin, action: str) -> StateVersion:
    """Give a locked or new row its next version, even with the same values, and return the version."""
    previous = row.digest
    row.state, row.grade, row.max_grade = values
    row.version += 1
    # Later than the previous version even if the clock was set back.
    row.modified = max(now, row.modified + TICK) if row.modified else now
    if row.created is None:
        row.created = row.modified
    version = version_of(row, action, origin, previous)
    row.digest = version.digest
    return version


def announce(versions: Sequence[StateVersion], using: str) -> None:
    if versions:
        state_written.send(sender=StateVersion, versions=versions, using=using)


def version_of(row: Row, action: str, origin: Origin, previous: bytes | None) -> StateVersion:
    """Return the current version of ``row``; ``previous`` is the digest of the version before it."""
    version = StateVersion(
        row.id,
        row.version,
        action,
        row.student_id,
        row.course_id,
        row.module_state_key,
        row.module_type,
        row.state,
        row.grade,
        row.max_grade,
        row.modified,
        *origin,
        previous,
        b"",
    )
    # Faster than _replace(); a request may make hundreds.
    return StateVersion(*version[:-1], digest_of(version))


def now() -> datetime:
    """Return the time of a write. Call it after locking the rows, so that versions are in order."""
    return timezone.now()
