"""Makes a version ``deleted`` when a StudentModule row is deleted, directly or with its user."""

from typing import Any

from django.apps import apps
from django.db import models
from django.db.models.signals import class_prepared, post_delete, pre_delete

from kvstore.models import StudentModule
from kvstore.signals import DELETED
from kvstore.versioning import rows, versions
from kvstore.versioning.context import current_origin
from kvstore.versioning.versions import Values


def connect() -> None:
    """Connect the receivers. Because of them, Django loads the rows and deletes them in a transaction."""
    for model in apps.get_models():
        connect_to(model)
    class_prepared.connect(connect_to, dispatch_uid="xblock_kvstore.connect_to")


def connect_to(sender: type[models.Model], **kwargs: Any) -> None:
    """Connect the receivers to StudentModule or a proxy model, which Django sends as the sender of its signals.

    For a model that inherits StudentModule with a table of its own, Django sends the signals of StudentModule too.
    """
    if sender._meta.concrete_model is StudentModule:
        pre_delete.connect(lock_before_deletion, sender=sender, dispatch_uid="xblock_kvstore.lock_before_deletion")
        post_delete.connect(announce_deletion, sender=sender, dispatch_uid="xblock_kvstore.announce_deletion")


def lock_before_deletion(instance: StudentModule, using: str, **kwargs: Any) -> None:
    """Lock and load the row, which may be newer than the instance, or deleted already."""
    if not instance.deletion_is_recorded:
        instance.being_deleted = rows.lock_by_id(StudentModule, instance.pk, using)


def announce_deletion(instance: StudentModule, using: str, **kwargs: Any) -> None:
    row, instance.being_deleted = instance.being_deleted, None
    if row is not None:
        nothing = Values(None, None, None)
        deleted = versions.make_next_version(row, nothing, versions.now(), current_origin(using), DELETED)
        versions.announce([deleted], using)
