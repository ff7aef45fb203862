"""The tables of the contenders that do not use the store's.

Each keeps its rows as the store does: the same columns, the same unique constraint, the same indexes; only the version
and the foreign key's constraint are missing. They differ in the way of writing and in their history.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from simple_history.models import HistoricalRecords

MAX_KEY_LENGTH = 255


class Module(models.Model):
    """One learner's state of one block, its keys as plain text, so that no contender parses any."""

    student = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, db_index=False, db_constraint=False, related_name="+"
    )
    course_id = models.CharField(max_length=MAX_KEY_LENGTH)
    module_state_key = models.CharField(max_length=MAX_KEY_LENGTH)
    module_type = models.CharField(max_length=128)
    state = models.TextField(null=True)  # noqa: DJ001  as the store has it
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
    """The minimum of a version: its row, its time and its state."""

    student_module_id = models.BigIntegerField(db_index=True)
    version = models.CharField(max_length=255, null=True)  # noqa: DJ001  never filled, as documented
    created = models.DateTimeField(db_index=True)
    state = models.TextField(null=True)  # noqa: DJ001  as the row has it
    grade = models.FloatField(null=True)
    max_grade = models.FloatField(null=True)

    def __str__(self) -> str:
        return f"entry of module {self.student_module_id}"


class SimpleHistoryModule(Module):
    """Rows that django-simple-history watches; the router sends its history to the second database."""

    # The user is in another database, which takes a plain id instead of a foreign key.
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
