"""Deleting a StudentModule row, directly or with its learner, leaves a version that says so."""

from typing import Any

from django.apps import apps
from django.db import models
from django.db.models.signals import class_prepared, post_delete, pre_delete

from kvstore import versions
from kvstore.models import StudentModule
from kvstore.signals import DELETED


def connect() -> None:
    """Connect the receivers; with them Django deletes StudentModule rows one by one, in a transaction."""
    for model in apps.get_models():
        connect_to(model)
    class_prepared.connect(connect_to, dispatch_uid="xblock_kvstore.connect_to")


def connect_to(sender: type[models.Model], **kwargs: Any) -> None:
    """Connect the receivers to StudentModule and its proxy models.

    Django sends the signals of a deletion with the proxy model as the sender. For a model that inherits StudentModule
    and has a table of its own, Django sends them for StudentModule too.
    """
    if sender._meta.concrete_model is StudentModule:
        pre_delete.connect(lock_before_deletion, sender=sender, dispatch_uid="xblock_kvstore.lock_before_deletion")
        post_delete.connect(announce_deletion, sender=sender, dispatch_uid="xblock_kvstore.announce_deletion")


def lock_before_deletion(instance: StudentModule, using: str, **kwargs: Any) -> None:
    """Keep the row as it is about to be deleted, which may be newer than the instance, or gone already."""
    rows = versions.plain_rows(StudentModule, using).filter(pk=instance.pk).select_for_update()
    instance.being_deleted = rows.first()


def announce_deletion(instance: StudentModule, using: str, **kwargs: Any) -> None:
    """Announce the version after the last: the row is gone."""
    stored, instance.being_deleted = instance.being_deleted, None
    if stored is None:
        return
    last = versions.version_of(stored, DELETED)
    deleted = last._replace(
        version=last.version + 1,
        state=None,
        grade=None,
        max_grade=None,
        modified=versions.after(last.modified, versions.now()),
    )
    versions.announce([deleted], using)
