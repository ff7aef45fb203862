"""The rows that keep learners' state.

A block's ``user_state`` is one row, because it is read and written together and its versions are kept. The other
scopes are one row for each field, because learners or blocks share them and write one at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from opaque_keys.edx.keys import UsageKey

from kvstore.fields import CaseSensitiveCharField, DigestField, LearningContextKeyField, UsageKeyField
from kvstore.keys import BLOCK_FAMILY, MAX_FAMILY_LENGTH, MAX_TYPE_LENGTH, block_address, usage_key_in_course
from kvstore.querysets import StudentModuleQuerySet
from kvstore.versioning import instances
from kvstore.versioning.versions import COLUMNS, VERSION_COLUMNS, Row


class StudentModule(models.Model):
    """One learner's state and score of one block.

    Every committed change of (state, grade, max_grade) raises ``version`` by exactly one, whichever way it is
    made. ``save()`` writes what changed on this instance since it was loaded, merged field by field with what
    others wrote meanwhile.
    """

    class Done(models.TextChoices):
        NOT_APPLICABLE = "na", "not applicable"
        FINISHED = "f", "finished"
        INCOMPLETE = "i", "incomplete"

    # No index of its own: the unique constraint begins with it.
    student = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, db_index=False, related_name="+")
    course_id = LearningContextKeyField()
    module_state_key = UsageKeyField()
    # The block's type, for reports on one type and to know whether its history is recorded. An aside has its own.
    module_type = CaseSensitiveCharField(max_length=MAX_TYPE_LENGTH)
    # JSON object of the block's fields. NULL: never seen. {}: seen, and everything deleted.
    state = models.TextField(null=True, blank=True)  # noqa: DJ001  NULL and empty differ
    grade = models.FloatField(null=True, blank=True)
    max_grade = models.FloatField(null=True, blank=True)
    # Whether the learner finished the block, where somebody keeps track. Not part of a version.
    done = models.CharField(max_length=8, choices=Done.choices, default=Done.NOT_APPLICABLE)
    version = models.BigIntegerField(default=0, editable=False)
    created = models.DateTimeField(editable=False)
    # When the current version was written; the same instant stands on its history entry. Not indexed, as no
    # other column that writes change is: PostgreSQL then updates the row without touching an index.
    modified = models.DateTimeField(editable=False)
    # Identifies the current version and, through it, every version before. NULL: never written by this store.
    digest = DigestField(null=True)

    objects: ClassVar[models.Manager[StudentModule]] = StudentModuleQuerySet.as_manager()

    deletion_is_recorded = False
    """whether the history has the entry of the deletion that is about to be made; not stored"""

    class Meta:
        # Django's own base manager has no guards, so _base_manager.update() would leave no version.
        base_manager_name = "objects"
        verbose_name = "learner's state"
        verbose_name_plural = "learners' state"
        constraints = [
            # Finds the rows of a learner's blocks: every read, lock and first write of the store.
            models.UniqueConstraint(
                fields=["student", "module_state_key", "course_id"], name="xblock_kvstore_module_unique"
            )
        ]
        indexes = [
            # Walks a course in the order of ids.
            models.Index(fields=["course_id", "id"], name="xblock_kvstore_course_idx"),
            # Walks a course's blocks of one type.
            models.Index(fields=["course_id", "module_type", "id"], name="xblock_kvstore_type_idx"),
            # Walks all learners of one block.
            models.Index(fields=["module_state_key", "id"], name="xblock_kvstore_block_idx"),
        ]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.loaded: dict[str, Any] = {}
        self.being_deleted: Row | None = None
        self.compute_digest: Callable[[], bytes] | None = None

    def __str__(self) -> str:
        return f"learner {self.student_id}, {self.module_state_key}"

    def save(
        self,
        *,
        force_insert: Any = False,
        force_update: bool = False,
        using: str | None = None,
        update_fields: Iterable[str] | None = None,
    ) -> None:
        """Write what changed on this instance since it was loaded, as a version of its own.

        Fields of the state that others wrote meanwhile are kept, and so is a score that this instance did not
        change. The instance then holds what is stored.

        Raises UnstorableValue, UnstorableScore, CorruptState or UnrecordedWrite before anything is written, and
        DatabaseError where the row was deleted meanwhile.
        """
        instances.save(
            self,
            force_insert=force_insert,
            force_update=force_update,
            using=using,
            update_fields=update_fields,
        )

    @classmethod
    def from_db(cls, db: str | None, field_names: Collection[str], values: Collection[Any], **kwargs: Any) -> Self:
        row = super().from_db(db, field_names, values, **kwargs)
        instances.remember(row)
        return row

    def refresh_from_db(
        self, using: str | None = None, fields: Iterable[str] | None = None, from_queryset: Any = None
    ) -> None:
        names = None if fields is None else list(fields)
        super().refresh_from_db(using=using, fields=names, from_queryset=from_queryset)
        instances.remember(self, names)

    def write(self, **kwargs: Any) -> None:
        """Send the row to the database as Django does. Only :mod:`kvstore.versioning.instances` calls this."""
        super().save(**kwargs)

    def as_row(self) -> Row:
        """Return the values that the instance would be stored with, the keys as text. Raises UnusableKey."""
        address = block_address(self.module_state_key, self.course_id)
        values = {name: getattr(self, name) for name in COLUMNS}
        return Row(**values | {"course_id": address.course_id, "module_state_key": address.usage_key})

    def apply(self, row: Row) -> None:
        """Set the columns that a write decides: the id, the values of the version, and the time of creation."""
        self.pk = row.id
        for name in (*VERSION_COLUMNS, "created"):
            setattr(self, name, getattr(row, name))

    @property
    def address(self) -> tuple[str, str]:
        """The course and the block, as stored."""
        return str(self.course_id), str(self.module_state_key)

    @property
    def identity(self) -> dict[str, Any]:
        """The columns that say whose state of what this is."""
        return {
            "student_id": self.student_id,
            "course_id": self.course_id,
            "module_state_key": self.module_state_key,
        }

    @property
    def usage_key(self) -> UsageKey:
        """The block's key, complete with the run of its course where the stored form leaves it out."""
        key: UsageKey = usage_key_in_course(self.address[1], self.address[0])
        return key


class FieldRow(models.Model):
    """One field of a scope whose fields are kept one by one."""

    field_name = CaseSensitiveCharField(max_length=255)
    value = models.TextField(help_text="JSON")
    created = models.DateTimeField(auto_now_add=True)
    modified = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True


class UserStateSummaryField(FieldRow):
    """A field that all learners of one block share, such as a poll's tally."""

    # An aside's key differs from its block's, so the two never meet here.
    usage_id = UsageKeyField()

    class Meta:
        constraints = [
            # Finds the fields of a set of blocks, and is what a write conflicts on.
            models.UniqueConstraint(fields=["usage_id", "field_name"], name="xblock_kvstore_summary_unique")
        ]

    def __str__(self) -> str:
        return f"{self.usage_id}, {self.field_name}"


class PreferencesField(FieldRow):
    """A learner's field for all blocks of one type, such as the speed of videos."""

    student = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, db_index=False, related_name="+")
    # Keeps an aside's preferences apart from those of a block type with the same name.
    block_family = CaseSensitiveCharField(max_length=MAX_FAMILY_LENGTH, default=BLOCK_FAMILY)
    module_type = CaseSensitiveCharField(max_length=MAX_TYPE_LENGTH)

    class Meta:
        constraints = [
            # Finds a learner's preferences for a set of types, and is what a write conflicts on.
            models.UniqueConstraint(
                fields=["student", "block_family", "module_type", "field_name"],
                name="xblock_kvstore_preferences_unique",
            )
        ]

    def __str__(self) -> str:
        return f"learner {self.student_id}, {self.module_type}, {self.field_name}"


class UserInfoField(FieldRow):
    """A learner's field for every block everywhere, such as having seen the tour."""

    student = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, db_index=False, related_name="+")
    # Keeps a field of the asides apart from the blocks' field with the same name.
    block_family = CaseSensitiveCharField(max_length=MAX_FAMILY_LENGTH, default=BLOCK_FAMILY)

    class Meta:
        constraints = [
            # Finds all of a learner's fields, and is what a write conflicts on.
            models.UniqueConstraint(
                fields=["student", "block_family", "field_name"], name="xblock_kvstore_user_info_unique"
            )
        ]

    def __str__(self) -> str:
        return f"learner {self.student_id}, {self.field_name}"
