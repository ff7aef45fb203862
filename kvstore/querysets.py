"""A QuerySet that refuses or records bulk writes of StudentModule, so that every change makes a version."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, TypeVar

from django.db import models, transaction

from kvstore.conf import conf
from kvstore.exceptions import UnrecordedWrite
from kvstore.versioning import rows, versions
from kvstore.versioning.context import Origin, current_origin
from kvstore.versioning.instances import FIXED_COLUMNS
from kvstore.versioning.sql import chunked

ModelT = TypeVar("ModelT", bound=models.Model)

# The columns that identify a row, and those of its version.
GUARDED_COLUMNS = {"id", "pk", "student", *FIXED_COLUMNS, *versions.VERSION_COLUMNS}


class StudentModuleQuerySet(models.QuerySet[Any]):
    """Makes a version of each row that ``bulk_create`` inserts; refuses bulk changes of versioned columns."""

    def update(self, **kwargs: Any) -> int:
        _refuse_guarded("update", kwargs)
        return super().update(**kwargs)

    def bulk_update(self, objs: Iterable[Any], fields: Iterable[str], batch_size: int | None = None) -> int:
        names = list(fields)
        _refuse_guarded("bulk_update", names)
        return super().bulk_update(objs, names, batch_size)

    def bulk_create(
        self,
        objs: Iterable[Any],
        batch_size: int | None = None,
        ignore_conflicts: bool = False,  # noqa: FBT001, FBT002  Django's signature
        update_conflicts: bool = False,  # noqa: FBT001, FBT002  likewise
        update_fields: Collection[str] | None = None,
        unique_fields: Collection[str] | None = None,
    ) -> list[Any]:
        """Insert rows with version 1. Raises IntegrityError, and inserts none, if a row exists."""
        if ignore_conflicts or update_conflicts:
            raise UnrecordedWrite(
                "StudentModule.bulk_create cannot make versions with ignore_conflicts or update_conflicts; "
                "use DjangoXBlockUserStateClient.set_many, which merges."
            )
        if batch_size is not None and batch_size <= 0:
            raise ValueError("Batch size must be a positive integer.")
        instances = list(objs)
        for instance in instances:
            instance.complete()
        # One INSERT has an id for every row or for none.
        with_ids = [instance for instance in instances if instance.pk is not None]
        without_ids = [instance for instance in instances if instance.pk is None]
        with transaction.atomic(using=self.db):
            now, origin = versions.now(), current_origin(self.db)
            for group in (with_ids, without_ids):
                for chunk in chunked(group, batch_size or conf.KVSTORE_CHUNK_SIZE):
                    self._create(chunk, now, origin)
        return instances

    def _create(self, instances: list[Any], now: datetime, origin: Origin) -> None:
        new = [instance.as_row() for instance in instances]
        made = [versions.make_first_version(row, now, origin) for row in new]
        rows.insert(self.model, new, self.db)
        for instance, row in zip(instances, new, strict=True):
            instance.apply(row)
            instance._state.adding, instance._state.db = False, self.db
        versions.announce(rows.with_ids(made, new), self.db)


def unguarded(model: type[ModelT], using: str) -> models.QuerySet[ModelT]:
    """Return a plain QuerySet, which does not refuse writes that make no version."""
    return models.QuerySet(model, using=using)


def _refuse_guarded(operation: str, names: Iterable[str]) -> None:
    guarded = sorted(GUARDED_COLUMNS.intersection(names))
    if guarded:
        raise UnrecordedWrite(
            f"StudentModule {operation}() of {', '.join(guarded)} would make no version. Use "
            "DjangoXBlockUserStateClient.set_many or delete_many, kvstore.api.set_score, or save() each row."
        )
