"""Query sets of entries: reading a state only if it is small, and refusing changes."""

from collections.abc import Iterable
from typing import Any, NoReturn, Self, TypeVar

from django.db import models, router
from django.db.models import Case, F, Func, When
from django.db.models.functions import Cast

from history.exceptions import AppendOnly

ModelT = TypeVar("ModelT", bound=models.Model)


class OctetLength(Func):
    """The number of bytes of a text, before compression. PostgreSQL computes it without decompressing the text."""

    function = "OCTET_LENGTH"
    output_field = models.BigIntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        # SQLite has OCTET_LENGTH since 3.43 only. LENGTH of a blob counts bytes.
        blob = self.copy()
        blob.set_source_expressions([Cast(self.get_source_expressions()[0], models.BinaryField())])
        return super(OctetLength, blob).as_sql(compiler, connection, function="LENGTH", **context)


def on_primary(model: type[ModelT]) -> models.QuerySet[ModelT]:
    """Return the rows of a model on the database that they are written to.

    A replica may lack an entry that decides whether others were committed.
    """
    return model._default_manager.using(router.db_for_write(model))


class EntryQuerySet(models.QuerySet[Any]):
    """Delivered or pending entries."""

    def with_state_size(self) -> Self:
        """Add ``size``, the bytes of the state (None if it is NULL), and defer the state."""
        return self.defer("state").annotate(size=OctetLength("state"))

    def with_state_up_to(self, size: int) -> Self:
        """Add ``size`` as above, and ``small_state``: the state if it has at most ``size`` bytes, otherwise None."""
        return self.with_state_size().annotate(small_state=Case(When(size__lte=size, then=F("state"))))


class AppendOnlyQuerySet(EntryQuerySet):
    """Raises AppendOnly for every operation that changes or removes rows."""

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

    # As in Django's QuerySet: keeps these methods off templates and related managers.
    update.alters_data = True  # type: ignore[attr-defined]
    delete.alters_data = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]


def refusal(operation: str) -> AppendOnly:
    return AppendOnly(
        f"History entries cannot be changed or removed by {operation}. To change a learner's state, write the state; "
        "its new version becomes a new entry."
    )
