"""The tables of the contenders that do not use the store's tables.

Each table has the columns, the unique constraint and the indexes of the store's table, without the version, the digest
and the foreign key constraint.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from simple_history.models import HistoricalRecords

MAX_KEY_LENGTH = 255


class Module(models.Model):
    """One learner's state of one block. Its keys are plain text, so the contenders do not parse them."""

    student = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, db_index=False, db_constraint=False, related_name="+"
    )
    course_id = models.CharField(max_length=MAX_KEY_LENGTH)
    module_state_key = models.CharField(max_length=MAX_KEY_LENGTH)
    module_type = models.CharField(max_length=128)
    state = models.TextField(null=True)  # noqa: DJ001  as in the store
    grade = models.FloatField(null=True)
    max_grade = models.FloatField(null=True)
    done = models.CharField(max_length=8, default="na")
    created = models.DateTimeField(auto_now_add=True)
    modified = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True
        constraints = [
            models.UniqueConstraint(fields=["student", "module_state_key", "course_id"], name="%(class)s_unique")
        ]
        indexes = [
            models.Index(fields=["course_id", "id"], name="%(class)s_course"),
            models.Index(fields=["course_id", "module_type", "id"], name="%(class)s_type"),
            models.Index(fields=["module_state_key", "id"], name="%(class)s_block"),
        ]

    def __str__(self) -> str:
        return f"learner {self.student_id}, {self.module_state_key}"


class PlainModule(Module):
    """Rows without a history."""


class PerBlockModule(Module):
    """Rows with an entry in the second database for every save."""


class PerBlockHistory(models.Model):
    """A minimal entry: the row, the time and the state."""

    student_module_id = models.BigIntegerField(db_index=True)
    version = models.CharField(max_length=255, null=True)  # noqa: DJ001  never filled, as documented
    created = models.DateTimeField(db_index=True)
    state = models.TextField(null=True)  # noqa: DJ001  as in the row
    grade = models.FloatField(null=True)
    max_grade = models.FloatField(null=True)

    def __str__(self) -> str:
        return f"entry of module {self.student_module_id}"


class SimpleHistoryModule(Module):
    """Rows with a django-simple-history history; the router sends the historical rows to the second database."""

    # The user is in another database, so a foreign key is impossible.
    history = HistoricalRecords(history_user_id_field=models.BigIntegerField(null=True))


def append_entry(sender: type[PerBlockModule], instance: PerBlockModule, **kwargs: Any) -> None:
    """Copy the saved row into the second database."""
    PerBlockHistory(
        student_module_id=instance.pk,
        created=instance.modified,
        state=instance.state,
        grade=instance.grade,
        max_grade=instance.max_grade,
    ).save()


models.signals.post_save.connect(append_entry, sender=PerBlockModule, dispatch_uid="bench.append_entry")
