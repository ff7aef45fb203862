"""Query sets that refuse, or record, what would otherwise change learners' state without leaving a version."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, TypeVar

from django.db import models, transaction

from kvstore.conf import conf
from kvstore.exceptions import UnrecordedWrite
from kvstore.versioning import rows, versions
from kvstore.versioning.chunks import chunked
from kvstore.versioning.context import Origin, current_origin
from kvstore.versioning.instances import complete_new

ModelT = TypeVar("ModelT", bound=models.Model)

# What a version says, and what says whose version it is.
GUARDED_COLUMNS = {
    *versions.VERSION_COLUMNS,
    "id",
    "pk",
    "student",
    "student_id",
    "course_id",
    "module_state_key",
    "module_type",
}


class StudentModuleQuerySet(models.QuerySet[Any]):
    """Rows of StudentModule. Bulk creation is recorded; bulk changes of recorded columns are refused."""

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
        """Create rows as their version 1. Raises IntegrityError, and creates none, where a row is there already."""
        if ignore_conflicts or update_conflicts:
            raise UnrecordedWrite(
                "StudentModule.bulk_create cannot tell which rows it wrote when conflicts are ignored or updated; "
                "use DjangoXBlockUserStateClient.set_many, which merges."
            )
        if batch_size is not None and batch_size <= 0:
            raise ValueError("Batch size must be a positive integer.")
        instances = list(objs)
        for instance in instances:
            complete_new(instance)
        with_ids, without_ids = _parted(instances)
        with transaction.atomic(using=self.db):
            now, origin = versions.now(), current_origin(self.db)
            for alike in (with_ids, without_ids):
                for chunk in chunked(alike, batch_size or conf.KVSTORE_CHUNK_SIZE):
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
    """Return the stored instances of a model without the guards that its manager has against unrecorded writes."""
    return models.QuerySet(model, using=using)


def _parted(instances: Iterable[Any]) -> tuple[list[Any], list[Any]]:
    parts: tuple[list[Any], list[Any]] = ([], [])
    for instance in instances:
        key: int | None = instance.pk
        parts[key is None].append(instance)
    return parts


def _refuse_guarded(operation: str, names: Iterable[str]) -> None:
    guarded = sorted(GUARDED_COLUMNS.intersection(names))
    if guarded:
        raise UnrecordedWrite(
            f"StudentModule {operation}() of {', '.join(guarded)} would leave no version of the change. Use "
            "DjangoXBlockUserStateClient.set_many or delete_many, kvstore.api.set_score, or save() each row."
        )
