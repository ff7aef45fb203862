"""The steps of every write to StudentModule: compute the next version of locked rows, write them, tell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import models
from django.utils import timezone

from kvstore import codec, statements
from kvstore.exceptions import CorruptState, UnstorableScore, UnstorableValue
from kvstore.keys import block_address
from kvstore.signals import CHANGED, CREATED, StateVersion, state_written

if TYPE_CHECKING:
    from kvstore.models import StudentModule

RECORDED_COLUMNS = ("state", "grade", "max_grade")
"""The columns whose every change is a version."""
VERSION_COLUMNS = (*RECORDED_COLUMNS, "version", "modified")

TICK = timedelta(microseconds=1)


class Values(NamedTuple):
    """What one version of a row says."""

    state: str | None
    grade: float | None
    max_grade: float | None


def plain_rows(model: type[StudentModule], using: str) -> models.QuerySet[StudentModule]:
    """Return the rows without the guards that StudentModule.objects has against writes past this path."""
    return models.QuerySet(model, using=using)


def checked(values: Values, where: str) -> Values:
    """Return ``values`` if a row can hold them. Raises UnstorableValue or UnstorableScore naming ``where``."""
    try:
        codec.loads_state(values.state)
    except ValueError as error:
        raise UnstorableValue(f"state of {where} cannot be stored: {error}; pass a JSON object of fields.") from error
    for column in ("grade", "max_grade"):
        checked_score(getattr(values, column), f"{column} of {where}")
    return values


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


def fields_of(row: StudentModule) -> dict[str, object]:
    """Return the fields in a stored row's state. Raises CorruptState with the row's id."""
    try:
        return codec.loads_state(row.state)
    except ValueError as error:
        raise CorruptState(row._meta.db_table, [row.pk], 1, str(error)) from error


def check_new(row: StudentModule) -> None:
    """Complete a row that is not stored yet. Raises UnstorableValue, UnstorableScore or UnusableKey."""
    address = block_address(row.module_state_key, row.course_id)
    row.module_type = row.module_type or address.block_type
    row.state, row.grade, row.max_grade = checked(row.values, str(row))


def begin(row: StudentModule, now: datetime) -> None:
    """Make ``row``, checked and not stored yet, its version 1."""
    row.version = 0
    advance(row, row.values, now)


def advance(row: StudentModule, values: Values, now: datetime) -> bool:
    """Make ``row``, locked or new, its next version. Return False, and leave it, where nothing changes."""
    if row.version and not _differs(row, values):
        return False
    row.state, row.grade, row.max_grade = values
    row.version += 1
    row.modified = after(row.modified, now)
    if row._state.adding and row.created is None:
        row.created = row.modified
    return True


def after(modified: datetime | None, now: datetime) -> datetime:
    """Return the moment of a version that follows one of ``modified``, even where a clock was set back."""
    return max(now, modified + TICK) if modified else now


def write_rows(rows: Sequence[StudentModule], using: str, *, action: str | None = None) -> None:
    """Write rows that :func:`advance` changed, new and known ones in one statement each, and tell receivers.

    ``action`` is what they are told was done, where that is not just to create or change.
    """
    new = [row for row in rows if row.version == 1 and row._state.adding]
    known = [row for row in rows if not row._state.adding]
    if new:
        insert(new, using)
    if known:
        _update(known, using)
    created = [version_of(row, action or CREATED) for row in new]
    changed = [version_of(row, action or CHANGED) for row in known]
    announce(created + changed, using)


def announce(versions: Sequence[StateVersion], using: str) -> None:
    """Send the versions that were just written."""
    if versions:
        state_written.send(sender=StateVersion, versions=versions, using=using)


def version_of(row: StudentModule, action: str) -> StateVersion:
    """Return the version that ``row`` is at."""
    return StateVersion(
        student_module_id=row.pk,
        version=row.version,
        action=action,
        student_id=row.student_id,
        course_id=str(row.course_id),
        module_state_key=str(row.module_state_key),
        module_type=row.module_type,
        state=row.state,
        grade=row.grade,
        max_grade=row.max_grade,
        modified=row.modified,
    )


def now() -> datetime:
    """Return the moment of a write; call it when the rows are locked, so that versions are in order."""
    return timezone.now()


def _differs(row: StudentModule, values: Values) -> bool:
    if values == row.values:
        return False
    if values[1:] != row.values[1:] or row.state is None or values.state is None:
        return True
    try:
        # The same fields may stand there with other white space.
        return codec.dumps(codec.loads_state(row.state)) != codec.dumps(codec.loads_state(values.state))
    except ValueError:
        return True


def insert(rows: Sequence[StudentModule], using: str) -> None:
    """Insert new rows in one statement and give them their ids."""
    statements.insert(rows, using)
    if any(row.pk is None for row in rows):
        _look_up_ids(rows, using)


def _look_up_ids(rows: Sequence[StudentModule], using: str) -> None:
    """Give rows their ids on MySQL, which does not say which it gave; the unique constraint tells."""
    filters = {f"{name}__in": {row.identity[name] for row in rows} for name in rows[0].identity}
    found = {(row.student_id, *row.address): row.pk for row in plain_rows(type(rows[0]), using).filter(**filters)}
    for row in rows:
        row.pk = found[row.student_id, *row.address]


def _update(rows: Sequence[StudentModule], using: str) -> None:
    if len(rows) == 1:
        row = rows[0]
        columns = {column: getattr(row, column) for column in VERSION_COLUMNS}
        plain_rows(type(row), using).filter(pk=row.pk).update(**columns)
    else:
        # The rows are there and locked, so each insert meets its own id and becomes an update: one statement for
        # all, where an UPDATE with a CASE for each row takes time quadratic in their number.
        statements.upsert(rows, using, unique_fields=["id"], update_fields=VERSION_COLUMNS)
