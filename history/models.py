"""Entries: one for each version of a learner's state of a block, delivered or pending."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from history.querysets import AppendOnlyQuerySet, EntryQuerySet, refusal
from kvstore import signals
from kvstore.fields import CaseSensitiveCharField, DigestField, LearningContextKeyField, UsageKeyField
from kvstore.keys import MAX_TYPE_LENGTH, BlockAddress
from kvstore.signals import StateVersion
from kvstore.storage.reading import parsed
from kvstore.versioning.context import MAX_REASON_LENGTH, MAX_REQUEST_ID_LENGTH

IDENTIFYING_COLUMNS = ("student_module_id", "version", "digest")
"""the columns that identify an entry"""


class Entry(models.Model):
    """One version of one learner's state of one block. An entry never changes.

    The columns are those of :class:`kvstore.signals.StateVersion`, in the same order.
    """

    is_branch = False
    """set by readers, not stored: whether the present state does not descend from this version"""

    class Action(models.TextChoices):
        CREATED = signals.CREATED, _("created")
        CHANGED = signals.CHANGED, _("changed")
        DELETED = signals.DELETED, _("deleted")
        RESTORED = signals.RESTORED, _("restored")

    student_module_id = models.BigIntegerField()
    version = models.BigIntegerField()
    action = models.CharField(max_length=8, choices=Action.choices)
    # Copied from the row. Entries outlive their row, and after a rollback another row may get the same id.
    student_id = models.BigIntegerField()
    course_id = LearningContextKeyField()
    module_state_key = UsageKeyField()
    module_type = CaseSensitiveCharField(max_length=MAX_TYPE_LENGTH)
    state = models.TextField(null=True)  # noqa: DJ001  NULL and empty differ, as in the row
    grade = models.FloatField(null=True)
    max_grade = models.FloatField(null=True)
    # Equal to the row's ``modified`` at this version.
    created = models.DateTimeField()
    # From the change context; NULL or empty if the writer set none.
    actor_id = models.BigIntegerField(null=True)
    reason = models.CharField(max_length=MAX_REASON_LENGTH, default="")
    request_id = models.CharField(max_length=MAX_REQUEST_ID_LENGTH, default="")
    # The row and version that a restored version took its state from; NULL for other actions.
    source_id = models.BigIntegerField(null=True)
    source_version = models.BigIntegerField(null=True)
    # If the next version has another transaction id, this version was committed. 0: unknown.
    transaction_id = models.BigIntegerField(default=0)
    # The digest of the row's previous version, NULL for the first; the digest of all other values.
    previous = DigestField(null=True)
    digest = DigestField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        values = {"version": self.version, "learner": self.student_id, "block": self.module_state_key}
        return gettext("version %(version)s of learner %(learner)s, %(block)s") % values

    @property
    def fields(self) -> dict[str, Any]:
        """The state as a dict of field names and values; empty if the state is None.

        Each access parses the state again. Raises CorruptState with the entry's id if it is not a JSON object.
        """
        return parsed(self.pk, self.state, self._meta.db_table)

    @property
    def key(self) -> tuple[int, int, bytes]:
        """The values of IDENTIFYING_COLUMNS."""
        return self.student_module_id, self.version, self.digest

    @property
    def address(self) -> BlockAddress:
        """The course, usage key and type of the block, as text."""
        return BlockAddress(str(self.course_id), str(self.module_state_key), self.module_type)

    def as_version(self) -> StateVersion:
        values = StateVersion(*(getattr(self, name) for name in StateVersion._fields))
        return values._replace(
            action=str(self.action), course_id=str(self.course_id), module_state_key=str(self.module_state_key)
        )


class StudentModuleHistory(Entry):
    """An entry in the history database.

    An entry is written before its version commits. If the version is rolled back, the entry remains, but no chain of
    digests leads from a row to it. Read entries with :func:`history.api.timeline`, which omits such entries.

    The table can be partitioned by ``student_module_id``: no statement relies on ``id`` being unique or ordered, every
    unique constraint includes ``student_module_id``, and no foreign key refers to another database.

    Personal data: the learner (``student_id``), the block (``course_id``, ``module_state_key``, ``module_type``), the
    work and the grade (``state``, ``grade``, ``max_grade``), and who changed it, when and why (``version``, ``action``,
    ``created``, ``actor_id``, ``reason``, ``request_id``). Stored without a limit, also after the deletion of the row
    or the user, unless HISTORY_ON_DELETE is "erase".
    """

    refused = None
    """not a column: a delivered entry is not refused"""

    objects: ClassVar[models.Manager[StudentModuleHistory]] = AppendOnlyQuerySet.as_manager()

    class Meta:
        # The guards also apply to code that uses ``_base_manager``.
        base_manager_name = "objects"
        verbose_name = _("history entry")
        verbose_name_plural = _("history entries")
        constraints = [
            # An entry is stored once, even if it is delivered again. Also: the versions of a row in order.
            models.UniqueConstraint(fields=IDENTIFYING_COLUMNS, name="xblock_history_entry_unique")
        ]
        indexes = [
            # The timeline of a block for a learner, also of a deleted row; the entries of a block.
            models.Index(fields=["module_state_key", "student_id"], name="xblock_history_block_idx"),
            # The newest entries of a course.
            models.Index(fields=["course_id", "created", "student_module_id"], name="xblock_history_course_idx"),
            # The newest entries of a learner.
            models.Index(fields=["student_id", "created", "student_module_id"], name="xblock_history_learner_idx"),
            # The newest entries of all; the entries between two moments.
            models.Index(fields=["created", "student_module_id"], name="xblock_history_created_idx"),
        ]
        permissions = [
            ("restore_studentmodule", "Can restore a version of a learner's state"),
            ("export_studentmodulehistory", "Can export history entries"),
            ("repair_incident", "Can repair incidents"),
        ]

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert the entry. Raises AppendOnly if it is stored already."""
        if not self._state.adding:
            raise refusal("save()")
        super().save(*args, **(kwargs | {"force_insert": True}))

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        raise refusal("delete()")


class Erasure(models.Model):
    """The record that all entries of a deleted row were erased.

    Personal data: none. Stored without a limit.
    """

    student_module_id = models.BigIntegerField()
    version = models.BigIntegerField()
    entries = models.BigIntegerField()
    # Of the last version, as in a seal.
    digest = DigestField()
    created = models.DateTimeField()

    objects: ClassVar[models.Manager[Erasure]] = AppendOnlyQuerySet.as_manager()

    class Meta:
        base_manager_name = "objects"
        # An erasure is stored once, even if it is repeated. Also: the erasures of a row.
        constraints = [models.UniqueConstraint(fields=IDENTIFYING_COLUMNS, name="xblock_history_erasure_unique")]

    def __str__(self) -> str:
        return f"{self.entries} entries of row {self.student_module_id}"


class BesideState:
    """Marks a model of history that belongs to the database of the state. Migrations refer to this class."""

    beside_state = True


class PendingHistory(BesideState, Entry):
    """A pending entry: stored in the database of the state until it is delivered to the history database.

    It was written in the transaction of its version, so it exists only if the version was committed. Readers merge it
    with the delivered entries; ``manage.py deliver_history`` delivers it.

    Personal data: the learner (``student_id``), the block (``course_id``, ``module_state_key``, ``module_type``), the
    work and the grade (``state``, ``grade``, ``max_grade``), and who changed it, when and why (``version``, ``action``,
    ``created``, ``actor_id``, ``reason``, ``request_id``). Stored until it is delivered.
    """

    # When the history database first rejected this entry although it accepted others; NULL if it did not.
    refused = models.DateTimeField(null=True)

    objects: ClassVar[models.Manager[PendingHistory]] = EntryQuerySet.as_manager()

    class Meta:
        verbose_name = _("pending history entry")
        verbose_name_plural = _("pending history entries")
        constraints = [
            # An entry is stored once. Also: the pending versions of a row.
            models.UniqueConstraint(fields=IDENTIFYING_COLUMNS, name="xblock_history_pending_unique")
        ]
        indexes = [
            # The pending entries of the timeline of a block for a learner, also of a deleted row.
            models.Index(fields=["module_state_key", "student_id"], name="xblock_history_pending_idx")
        ]
