"""Restores a row of StudentModule to a version of the history, after its database was restored from a backup.

The version exists in the history, so this makes no version and sends no signal.
"""

from collections.abc import Callable
from datetime import datetime
from enum import Enum
from operator import attrgetter

from django.contrib.auth import get_user_model
from django.db import IntegrityError, router

from kvstore.models import StudentModule
from kvstore.querysets import unguarded
from kvstore.signals import DELETED, StateVersion
from kvstore.versioning import rows
from kvstore.versioning.transactions import in_transaction
from kvstore.versioning.versions import IDENTITY, Row

VersionId = tuple[int, bytes | None]
"""version and digest of a row"""

_identity: Callable[[Row | StateVersion], tuple[int, str, str]] = attrgetter(*IDENTITY)


class Outcome(Enum):
    """The result of :func:`bring_to`. Only DONE has written."""

    DONE = "done"
    MOVED = "moved"
    """the row is not at the expected version"""
    TAKEN = "taken"
    """a row of another learner or block has the id"""
    OTHER_ROW = "other_row"
    """the learner has a row of the block with another id"""
    NO_LEARNER = "no_learner"
    """the user does not exist"""


def bring_to(
    version: StateVersion,
    expected: VersionId | None,
    created: datetime,
    *,
    before_commit: Callable[[], object] = lambda: None,
    dry_run: bool = False,
) -> Outcome:
    """Set a row at ``expected`` (None: no row) to a version, in one transaction that locks the row.

    A version ``deleted`` deletes the row and the objects that refer to it, as Django does. A missing row is inserted
    with its id and this time of creation. ``before_commit`` is called for the outcome DONE, once in each attempt.

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
        # After a concurrent insert of the row, the second attempt finds it.
        return in_transaction(body, using=using, retry_insert=True)
    except IntegrityError:
        # PostgreSQL and SQLite check at the commit whether the user exists.
        if version.action == DELETED or _has_learner(version, using):
            raise
        return Outcome.NO_LEARNER


def _obstacle(version: StateVersion, expected: VersionId | None, row: Row | None, using: str) -> Outcome:
    """Return the reason why the row cannot be written, or DONE."""
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


def _has_learner(version: StateVersion, using: str) -> bool:
    return get_user_model()._base_manager.using(using).filter(pk=version.student_id).exists()
