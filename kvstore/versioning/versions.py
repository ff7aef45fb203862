"""What every write to StudentModule makes: the next version of a locked or new row, checked, numbered, announced."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.utils import timezone

from kvstore.exceptions import UnstorableScore, UnstorableValue
from kvstore.signals import CHANGED, CREATED, StateVersion, state_written
from kvstore.versioning import codec
from kvstore.versioning.context import Origin
from kvstore.versioning.digests import digest_of

SCORE_COLUMNS = ("grade", "max_grade")
RECORDED_COLUMNS = ("state", *SCORE_COLUMNS)
"""The columns whose every change is a version."""
VERSION_COLUMNS = (*RECORDED_COLUMNS, "version", "modified", "digest")

TICK = timedelta(microseconds=1)


class Values(NamedTuple):
    """What one version of a row says."""

    state: str | None
    grade: float | None
    max_grade: float | None


NOT_APPLICABLE = "na"


@dataclass(slots=True)
class Row:
    """One row, stored or about to be."""

    student_id: int
    course_id: str
    module_state_key: str
    module_type: str
    state: str | None = None
    grade: float | None = None
    max_grade: float | None = None
    done: str = NOT_APPLICABLE
    version: int = 0
    # A datetime, a datetime and an integer, and None before the first version, as on an instance.
    created: Any = None
    modified: Any = None
    digest: bytes | None = None
    id: Any = None

    @property
    def values(self) -> Values:
        """What the current version says."""
        return Values(self.state, self.grade, self.max_grade)

    @property
    def address(self) -> tuple[str, str]:
        """The course and the block."""
        return self.course_id, self.module_state_key


COLUMNS = tuple(column.name for column in fields(Row))
NEW_COLUMNS = tuple(name for name in COLUMNS if name != "id")
IDENTITY = ("student_id", "course_id", "module_state_key")


def checked(values: Values, where: str) -> Values:
    """Return ``values`` if a row can hold them. Raises UnstorableValue or UnstorableScore naming ``where``."""
    try:
        codec.loads_state(values.state)
    except ValueError as error:
        raise UnstorableValue(f"state of {where} cannot be stored: {error}; pass a JSON object of fields.") from error
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


def make_first_version(row: Row, now: datetime, origin: Origin, action: str = CREATED) -> StateVersion:
    """Make ``row``, checked and not stored yet, its version 1, and return that."""
    row.version, row.digest = 0, None
    return make_next_version(row, row.values, now, origin, action)


def advance(row: Row, values: Values, now: datetime, origin: Origin, action: str = CHANGED) -> StateVersion | None:
    """Make ``row``, locked, its next version and return that. Return None, and leave the row, where nothing changes."""
    if values == row.values:
        return None
    return make_next_version(row, values, now, origin, action)


def make_next_version(row: Row, values: Values, now: datetime, origin: Origin, action: str) -> StateVersion:
    """Make ``row``, locked or new, its next version, even if its values are the same, and return that."""
    previous = row.digest
    row.state, row.grade, row.max_grade = values
    row.version += 1
    row.modified = next_timestamp(row.modified, now)
    if row.created is None:
        row.created = row.modified
    version = version_of(row, action, origin, previous)
    row.digest = version.digest
    return version


def next_timestamp(modified: datetime | None, now: datetime) -> datetime:
    """Return the moment of a version that follows one of ``modified``, even where a clock was set back."""
    return max(now, modified + TICK) if modified else now


def announce(versions: Sequence[StateVersion], using: str) -> None:
    """Send the versions that were just written."""
    if versions:
        state_written.send(sender=StateVersion, versions=versions, using=using)


def version_of(row: Row, action: str, origin: Origin, previous: bytes | None) -> StateVersion:
    """Return the version that ``row`` is at, which follows the version with the digest ``previous``."""
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
    # Quicker than _replace(), and there are hundreds.
    return StateVersion(*version[:-1], digest_of(version))


def now() -> datetime:
    """Return the moment of a write; call it when the rows are locked, so that versions are in order."""
    return timezone.now()
