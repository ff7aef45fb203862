"""The models of learners' state.

A block's ``user_state`` is one row, because its fields are read and written together and have one history. The other
scopes have one row for each field, because learners or blocks share the fields and write one at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models, router
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from opaque_keys.edx.keys import UsageKey

from kvstore.fields import CaseSensitiveCharField, DigestField, LearningContextKeyField, UsageKeyField
from kvstore.keys import BLOCK_FAMILY, MAX_FAMILY_LENGTH, MAX_TYPE_LENGTH, block_address, usage_key_in_course
from kvstore.querysets import StudentModuleQuerySet
from kvstore.versioning import instances
from kvstore.versioning.versions import COLUMNS, VERSION_COLUMNS, Row, Values, checked


class StudentModule(models.Model):
    """One learner's state and score of one block.

    Every committed change of (state, grade, max_grade) raises ``version`` by exactly one. ``save()`` merges the
    changes of the instance with concurrent writes, field by field.

    Personal data: the learner (``student_id``), the block (``course_id``, ``module_state_key``, ``module_type``), the
    work and the grade (``state``, ``grade``, ``max_grade``, ``done``), and when it changed (``version``, ``created``,
    ``modified``). Stored until the row or its user is deleted.
    """

    class Done(models.TextChoices):
        NOT_APPLICABLE = "na", _("not applicable")
        FINISHED = "f", _("finished")
        INCOMPLETE = "i", _("incomplete")

    # The unique constraint begins with this column, so it needs no index.
    student = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, db_index=False, related_name="+")
    course_id = LearningContextKeyField()
    module_state_key = UsageKeyField()
    # The type of the block or aside, for reports and HISTORY_BLOCK_TYPES.
    module_type = CaseSensitiveCharField(max_length=MAX_TYPE_LENGTH)
    # JSON object of the block's fields. NULL: the learner never had any. {}: all fields were deleted.
    state = models.TextField(null=True, blank=True)  # noqa: DJ001  NULL and empty differ
    grade = models.FloatField(null=True, blank=True)
    max_grade = models.FloatField(null=True, blank=True)
    # Whether the learner finished the block; hosts may use it. Not part of a version.
    done = models.CharField(max_length=8, choices=Done.choices, default=Done.NOT_APPLICABLE)
    version = models.BigIntegerField(default=0, editable=False)
    created = models.DateTimeField(editable=False)
    # Time of the current version, as in its history entry. No column that writes change has an index, so that
    # PostgreSQL can update the row without updating indexes.
    modified = models.DateTimeField(editable=False)
    # Digest of the current version and all versions before it. NULL: not written by this store.
    digest = DigestField(null=True)

    objects: ClassVar[models.Manager[StudentModule]] = StudentModuleQuerySet.as_manager()

    deletion_is_recorded = False
    """whether the history contains the entry of this deletion already; not stored"""

    class Meta:
        # With Django's default base manager, _base_manager.update() would make no version.
        base_manager_name = "objects"
        verbose_name = _("learner's state")
        verbose_name_plural = _("learners' state")
        constraints = [
            # Finds a learner's rows of blocks, for every read, lock and insert.
            models.UniqueConstraint(
                fields=["student", "module_state_key", "course_id"], name="xblock_kvstore_module_unique"
            )
        ]
        indexes = [
            # Iterates over a course in the order of ids.
            models.Index(fields=["course_id", "id"], name="xblock_kvstore_course_idx"),
            # Iterates over one block type of a course.
            models.Index(fields=["course_id", "module_type", "id"], name="xblock_kvstore_type_idx"),
            # Iterates over all learners of a block.
            models.Index(fields=["module_state_key", "id"], name="xblock_kvstore_block_idx"),
        ]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.loaded: dict[str, Any] = {}
        self.being_deleted: Row | None = None
        self.compute_digest: Callable[[], bytes] | None = None

    def __str__(self) -> str:
        return gettext("learner %(id)s, %(block)s") % {"id": self.student_id, "block": self.module_state_key}

    def save(
        self,
        *,
        force_insert: Any = False,
        force_update: bool = False,
        using: str | None = None,
        update_fields: Iterable[str] | None = None,
    ) -> None:
        """Write the changes made to this instance since it was loaded, as one version.

        Keeps fields of the state, and scores, that concurrent writes changed and this instance did not. Afterwards
        the instance has the stored values.

        Raises UnstorableValue, UnstorableScore, CorruptState or UnrecordedWrite before anything is written, and
        DatabaseError if the row was deleted.
        """
        alias = using or router.db_for_write(type(self), instance=self)
        names = None if update_fields is None else instances.checked_names(self, update_fields)
        if force_insert or (self._state.adding and not force_update and names is None):
            instances.insert(self, alias, force_insert)
        else:
            instances.update(self, alias, names)

    @classmethod
    def from_db(cls, db: str | None, field_names: Collection[str], values: Collection[Any], **kwargs: Any) -> Self:
        row = super().from_db(db, field_names, values, **kwargs)
        instances.snapshot(row)
        return row

    def refresh_from_db(
        self, using: str | None = None, fields: Iterable[str] | None = None, from_queryset: Any = None
    ) -> None:
        names = None if fields is None else list(fields)
        super().refresh_from_db(using=using, fields=names, from_queryset=from_queryset)
        instances.snapshot(self, instances.LOADED_COLUMNS if names is None else names)

    def write(self, **kwargs: Any) -> None:
        """Call Django's ``save()``. For :mod:`kvstore.versioning.instances` only."""
        super().save(**kwargs)

    def complete(self) -> None:
        """Set the block type and check the values. Raises UnstorableValue, UnstorableScore or UnusableKey."""
        address = block_address(self.module_state_key, self.course_id)
        self.module_type = self.module_type or address.block_type
        self.state, self.grade, self.max_grade = checked(Values(self.state, self.grade, self.max_grade), str(self))

    def as_row(self) -> Row:
        """Return the values to store. Raises UnusableKey."""
        address = block_address(self.module_state_key, self.course_id)
        values = {name: getattr(self, name) for name in COLUMNS}
        return Row(**values | {"course_id": address.course_id, "module_state_key": address.usage_key})

    def apply(self, row: Row) -> None:
        """Set the columns that a write determines: the id, the version, and the time of creation."""
        self.pk = row.id
        for name in (*VERSION_COLUMNS, "created"):
            setattr(self, name, getattr(row, name))

    @property
    def address(self) -> tuple[str, str]:
        """The stored texts of the course key and the usage key."""
        return str(self.course_id), str(self.module_state_key)

    @property
    def usage_key(self) -> UsageKey:
        """The usage key, completed with the run of its course."""
        key: UsageKey = usage_key_in_course(self.address[1], self.address[0])
        return key


class FieldRow(models.Model):
    """One field of a scope that has one row for each field."""

    field_name = CaseSensitiveCharField(max_length=255)
    value = models.TextField(help_text="JSON")
    created = models.DateTimeField(auto_now_add=True)
    modified = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True


class UserStateSummaryField(FieldRow):
    """A ``user_state_summary`` field, which all learners of a block share.

    Personal data: only if the block puts data about one learner in ``value``; the time of the last write by any learner
    (``modified``). Stored until the row is deleted. The deletion of a user does not change it.
    """

    # An aside has another key than its block, so their fields do not collide.
    usage_id = UsageKeyField()

    class Meta:
        constraints = [
            # Finds the fields of blocks; an upsert conflicts on it.
            models.UniqueConstraint(fields=["usage_id", "field_name"], name="xblock_kvstore_summary_unique")
        ]

    def __str__(self) -> str:
        return f"{self.usage_id}, {self.field_name}"


class PreferencesField(FieldRow):
    """A ``preferences`` field: a learner's field for all blocks of one type.

    Personal data: the learner (``student_id``), the block type (``module_type``), the ``value``, and the times of the
    first and the last write (``created``, ``modified``). Stored until the row or its user is deleted.
    """

    student = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, db_index=False, related_name="+")
    # Separates an aside's fields from those of a block type of the same name.
    block_family = CaseSensitiveCharField(max_length=MAX_FAMILY_LENGTH, default=BLOCK_FAMILY)
    module_type = CaseSensitiveCharField(max_length=MAX_TYPE_LENGTH)

    class Meta:
        constraints = [
            # Finds a learner's fields for block types; an upsert conflicts on it.
            models.UniqueConstraint(
                fields=["student", "block_family", "module_type", "field_name"],
                name="xblock_kvstore_preferences_unique",
            )
        ]

    def __str__(self) -> str:
        return f"learner {self.student_id}, {self.module_type}, {self.field_name}"


class UserInfoField(FieldRow):
    """A ``user_info`` field: a learner's field for all blocks.

    Personal data: the learner (``student_id``), the ``value``, and the times of the first and the last write
    (``created``, ``modified``). Stored until the row or its user is deleted.
    """

    student = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, db_index=False, related_name="+")
    # Separates a field of asides from the blocks' field of the same name.
    block_family = CaseSensitiveCharField(max_length=MAX_FAMILY_LENGTH, default=BLOCK_FAMILY)

    class Meta:
        constraints = [
            # Finds a learner's fields; an upsert conflicts on it.
            models.UniqueConstraint(
                fields=["student", "block_family", "field_name"], name="xblock_kvstore_user_info_unique"
            )
        ]

    def __str__(self) -> str:
        return f"learner {self.student_id}, {self.field_name}"
