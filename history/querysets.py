"""A query set that reads and adds."""

from collections.abc import Iterable
from typing import Any, NoReturn

from django.db import models

from history.exceptions import AppendOnly


class AppendOnlyQuerySet(models.QuerySet[Any]):
    """Refuses whatever would change or remove rows."""

    def update(self, **kwargs: Any) -> NoReturn:
        raise refusal("update()")

    def delete(self) -> NoReturn:
        raise refusal("delete()")

    def bulk_update(self, objs: Iterable[Any], fields: Iterable[str], batch_size: int | None = None) -> NoReturn:
        raise refusal("bulk_update()")

    def bulk_create(
        self,
        objs: Iterable[Any],
        batch_size: int | None = None,
        ignore_conflicts: bool = False,  # noqa: FBT001, FBT002  Django's signature
        update_conflicts: bool = False,  # noqa: FBT001, FBT002  likewise
        update_fields: Any = None,
        unique_fields: Any = None,
    ) -> list[Any]:
        if update_conflicts:
            raise refusal("bulk_create(update_conflicts=True)")
        return super().bulk_create(objs, batch_size, ignore_conflicts)

    # Django's own marks, which keep these off templates and related managers.
    update.alters_data = True  # type: ignore[attr-defined]
    delete.alters_data = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]


def refusal(operation: str) -> AppendOnly:
    """Return the error for an operation that would change or remove entries."""
    return AppendOnly(
        f"History entries cannot be changed or removed by {operation}. To change a learner's state, write the state; "
        "its new version becomes a new entry."
    )
