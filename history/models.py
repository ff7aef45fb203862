"""The entries: one for each version of a learner's state of a block."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from history.querysets import AppendOnlyQuerySet, refusal
from kvstore import signals
from kvstore.fields import CaseSensitiveCharField, LearningContextKeyField, UsageKeyField
from kvstore.keys import MAX_TYPE_LENGTH

MAX_REASON_LENGTH = 255
MAX_REQUEST_ID_LENGTH = 64


class StudentModuleHistory(models.Model):
    """One version of one learner's state of one block, as it was written.

    An entry is written before its version commits, so one whose version is above that of its row, or whose row was
    never there, never happened. :mod:`history.timeline` leaves those out; read entries through it.

    The table can be split by ``student_module_id``: no statement relies on ``id`` being unique or in order, no
    unique constraint is without ``student_module_id``, and nothing refers to another database.
    """

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

    objects: ClassVar[models.Manager[StudentModuleHistory]] = AppendOnlyQuerySet.as_manager()

    class Meta:
        verbose_name = "history entry"
        verbose_name_plural = "history entries"
        constraints = [
            # Writes an entry once, however often it is delivered; finds the versions of a row in order.
            models.UniqueConstraint(fields=["student_module_id", "version"], name="xblock_history_version_unique")
        ]
        indexes = [
            # The timeline of a block for a learner, also when the row is gone; the entries of a block.
            models.Index(fields=["module_state_key", "student_id"], name="xblock_history_block_idx"),
            # The newest entries of a course.
            models.Index(fields=["course_id", "created", "student_module_id"], name="xblock_history_course_idx"),
            # The newest entries of a learner.
            models.Index(fields=["student_id", "created", "student_module_id"], name="xblock_history_learner_idx"),
        ]

    def __str__(self) -> str:
        return f"version {self.version} of learner {self.student_id}, {self.module_state_key}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Add an entry. Raises AppendOnly for one that is stored already."""
        if not self._state.adding:
            raise refusal("save()")
        super().save(*args, **(kwargs | {"force_insert": True}))

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        raise refusal("delete()")
