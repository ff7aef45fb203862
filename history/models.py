"""The entries: one for each version of a learner's state of a block, delivered or waiting."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from history.querysets import AppendOnlyQuerySet, refusal
from kvstore import signals
from kvstore.fields import CaseSensitiveCharField, DigestField, LearningContextKeyField, UsageKeyField
from kvstore.keys import MAX_TYPE_LENGTH
from kvstore.signals import StateVersion
from kvstore.versioning.context import MAX_REASON_LENGTH, MAX_REQUEST_ID_LENGTH

IDENTIFYING_COLUMNS = ("student_module_id", "version", "digest")
"""the columns that tell an entry from every other"""


class Entry(models.Model):
    """One version of one learner's state of one block, as it was written. An entry never changes.

    The columns are those of :class:`kvstore.signals.StateVersion`, in its order.
    """

    is_branch = False
    """whether a reader found that the present state does not descend from this version; not stored"""

    class Action(models.TextChoices):
        CREATED = signals.CREATED, "created"
        CHANGED = signals.CHANGED, "changed"
        DELETED = signals.DELETED, "deleted"
        RESTORED = signals.RESTORED, "restored"

    student_module_id = models.BigIntegerField()
    version = models.BigIntegerField()
    action = models.CharField(max_length=8, choices=Action.choices)
    # Copies of the row's identity: they find and explain an entry whose row is gone, and tell it from an entry of
    # another row that got the same id after a rollback.
    student_id = models.BigIntegerField()
    course_id = LearningContextKeyField()
    module_state_key = UsageKeyField()
    module_type = CaseSensitiveCharField(max_length=MAX_TYPE_LENGTH)
    state = models.TextField(null=True)  # noqa: DJ001  NULL and empty differ, as on the row
    grade = models.FloatField(null=True)
    max_grade = models.FloatField(null=True)
    # The row's ``modified``: one instant in both databases.
    created = models.DateTimeField()
    # Who wrote, why, and in which request, where the writer said so.
    actor_id = models.BigIntegerField(null=True)
    reason = models.CharField(max_length=MAX_REASON_LENGTH, default="")
    request_id = models.CharField(max_length=MAX_REQUEST_ID_LENGTH, default="")
    # Which version of which row a restored version took its state from; NULL for every other.
    source_id = models.BigIntegerField(null=True)
    source_version = models.BigIntegerField(null=True)
    # Proves that another transaction wrote the next version, so that this one was committed. 0: unknown.
    transaction_id = models.BigIntegerField(default=0)
    # The chain: the digest of the row's previous version, NULL for the first, and the digest of all values.
    previous = DigestField(null=True)
    digest = DigestField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"version {self.version} of learner {self.student_id}, {self.module_state_key}"

    def as_version(self) -> StateVersion:
        """Return the values of the entry, the keys as text."""
        values = StateVersion(*(getattr(self, name) for name in StateVersion._fields))
        return values._replace(
            action=str(self.action), course_id=str(self.course_id), module_state_key=str(self.module_state_key)
        )


class StudentModuleHistory(Entry):
    """An entry in the history database.

    An entry is written before its version commits. If the version is rolled back, the entry remains, but no chain of
    digests leads to it from a row. :mod:`history.reading.timeline` leaves such entries out; read entries through it.

    The table can be split by ``student_module_id``: no statement relies on ``id`` being unique or in order, no
    unique constraint is without ``student_module_id``, and nothing refers to another database.
    """

    objects: ClassVar[models.Manager[StudentModuleHistory]] = AppendOnlyQuerySet.as_manager()

    class Meta:
        # The guards hold for who looks behind ``objects``, too.
        base_manager_name = "objects"
        verbose_name = "history entry"
        verbose_name_plural = "history entries"
        constraints = [
            # Stores an entry once, however often it is delivered; finds the versions of a row in order.
            models.UniqueConstraint(fields=IDENTIFYING_COLUMNS, name="xblock_history_entry_unique")
        ]
        indexes = [
            # The timeline of a block for a learner, also when the row is gone; the entries of a block.
            models.Index(fields=["module_state_key", "student_id"], name="xblock_history_block_idx"),
            # The newest entries of a course.
            models.Index(fields=["course_id", "created", "student_module_id"], name="xblock_history_course_idx"),
            # The newest entries of a learner.
            models.Index(fields=["student_id", "created", "student_module_id"], name="xblock_history_learner_idx"),
            # The newest entries of all, and those of an hour long ago.
            models.Index(fields=["created", "student_module_id"], name="xblock_history_created_idx"),
        ]
        permissions = [
            ("restore_studentmodule", "Can put a version of a learner's state back"),
            ("export_studentmodulehistory", "Can export history entries"),
        ]

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Add an entry. Raises AppendOnly for one that is stored already."""
        if not self._state.adding:
            raise refusal("save()")
        super().save(*args, **(kwargs | {"force_insert": True}))

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        raise refusal("delete()")


class Erasure(models.Model):
    """The record of one erasure: all entries of a deleted row were removed. It tells nothing about the learner."""

    student_module_id = models.BigIntegerField()
    version = models.BigIntegerField()
    entries = models.BigIntegerField()
    # Of the last version, as a seal has it.
    digest = DigestField()
    created = models.DateTimeField()

    objects: ClassVar[models.Manager[Erasure]] = AppendOnlyQuerySet.as_manager()

    class Meta:
        base_manager_name = "objects"
        # Records an erasure once, even if it is tried again; finds the erasures of a row.
        constraints = [models.UniqueConstraint(fields=IDENTIFYING_COLUMNS, name="xblock_history_erasure_unique")]

    def __str__(self) -> str:
        return f"{self.entries} entries of row {self.student_module_id}"


class BesideState:
    """Marks a model of history that lives in the database of the state; migrations keep it with the model."""

    beside_state = True


class PendingHistory(BesideState, Entry):
    """An entry that the history database did not take, waiting beside the state.

    It was written in the transaction of its version, so it is here if and only if that version was committed.
    ``manage.py deliver_history`` moves it over; until then readers find it here.
    """

    class Meta:
        verbose_name = "waiting history entry"
        verbose_name_plural = "waiting history entries"
        constraints = [
            # Stores an entry once; finds the pending versions of a row.
            models.UniqueConstraint(fields=IDENTIFYING_COLUMNS, name="xblock_history_pending_unique")
        ]
        indexes = [
            # The waiting part of the timeline of a block for a learner, also when the row is gone.
            models.Index(fields=["module_state_key", "student_id"], name="xblock_history_pending_idx")
        ]
