"""Brings a row of StudentModule to a version that was committed before its database was restored from a backup.

The version exists already, so none is made and none is announced: the row gets the values, the number and the digest
that it had.
"""

from collections.abc import Callable
from datetime import datetime
from enum import Enum

from django.contrib.auth import get_user_model
from django.db import IntegrityError, router

from kvstore.models import StudentModule
from kvstore.querysets import unguarded
from kvstore.signals import DELETED, StateVersion
from kvstore.versioning import rows
from kvstore.versioning.transactions import in_transaction
from kvstore.versioning.versions import IDENTITY, Row

Position = tuple[int, bytes | None]
"""the version and the digest of a row"""


class Outcome(Enum):
    """What became of a row."""

    DONE = "done"
    MOVED = "moved"
    """it is not at the expected version any more; nothing was written"""
    TAKEN = "taken"
    """its id belongs to a row of another learner or block; nothing was written"""
    OTHER_ROW = "other_row"
    """the learner has a row of the block with another id; nothing was written"""
    NO_LEARNER = "no_learner"
    """there is no such user; nothing was written"""


def bring_to(
    version: StateVersion,
    expected: Position | None,
    created: datetime,
    *,
    before_commit: Callable[[], object] = lambda: None,
    dry_run: bool = False,
) -> Outcome:
    """Bring a row from ``expected``, None where it is missing, to a version, in a transaction that locks it.

    A version ``deleted`` deletes the row, and what refers to it, as Django does. A missing row is inserted with its
    id and with this time of creation. ``before_commit`` is called where the outcome is DONE, and again where a conflict
    with another transaction makes a second attempt necessary. ``dry_run`` returns the outcome without a write.

    Raises WriteConflict or the error of the database; then nothing is written.
    """
    using = router.db_for_write(StudentModule)

    def body() -> Outcome:
        row = rows.lock_by_id(StudentModule, version.student_module_id, using)
        outcome = _obstacle(version, expected, row, using)
        if outcome is Outcome.DONE:
            if not dry_run:
                _write(version, row, created, using)
            before_commit()
        return outcome

    try:
        # Where another session inserts such a row first, the second attempt finds it.
        return in_transaction(body, using=using, retry_insert=True)
    except IntegrityError:
        # The user may have been deleted meanwhile: PostgreSQL and SQLite check that at the commit.
        if version.action == DELETED or _has_learner(version, using):
            raise
        return Outcome.NO_LEARNER


def _obstacle(version: StateVersion, expected: Position | None, row: Row | None, using: str) -> Outcome:
    """Return why the row cannot be written; DONE where it can."""
    if row is not None:
        if _identity(row) != _identity(version):
            return Outcome.TAKEN
        return Outcome.DONE if (row.version, row.digest) == expected else Outcome.MOVED
    if expected is not None:
        return Outcome.MOVED
    own = dict(zip(IDENTITY, _identity(version), strict=True))
    if unguarded(StudentModule, using).filter(**own).exists():
        return Outcome.OTHER_ROW
    return Outcome.DONE if _has_learner(version, using) else Outcome.NO_LEARNER


def _write(version: StateVersion, row: Row | None, created: datetime, using: str) -> None:
    if version.action == DELETED:
        instance = unguarded(StudentModule, using).get(pk=version.student_module_id)
        instance.deletion_is_recorded = True
        instance.delete(using=using)
        return
    target = row or Row(*_identity(version), version.module_type, created=created, id=version.student_module_id)
    target.state, target.grade, target.max_grade = version.state, version.grade, version.max_grade
    target.version, target.digest, target.modified = version.version, version.digest, version.created
    (rows.update if row else rows.insert)(StudentModule, [target], using)


def _identity(of: Row | StateVersion) -> tuple[int, str, str]:
    return of.student_id, of.course_id, of.module_state_key


def _has_learner(version: StateVersion, using: str) -> bool:
    return get_user_model()._base_manager.using(using).filter(pk=version.student_id).exists()
