"""How large stored states are, told by the database without sending them."""

from typing import Any

from django.db import models
from django.db.models import Case, F, Func, When
from django.db.models.functions import Cast

Entries = models.QuerySet[Any]


class OctetLength(Func):
    """The length of a text in bytes, as it is stored before compression. PostgreSQL knows it without unpacking."""

    function = "OCTET_LENGTH"
    output_field = models.BigIntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        # SQLite has the function since 3.43 only; the length of a blob is that of its bytes.
        blob = self.copy()
        blob.set_source_expressions([Cast(self.get_source_expressions()[0], models.BinaryField())])
        return super(OctetLength, blob).as_sql(compiler, connection, function="LENGTH", **context)


def sized(entries: Entries) -> Entries:
    """Return the entries with ``size``, the bytes of their state (None without one), and without the state."""
    with_size: Entries = entries.defer("state").annotate(size=OctetLength("state"))
    return with_size


def light(entries: Entries, at_most: int) -> Entries:
    """Return the entries with ``size``, and with ``small_state``: the state where it has no more bytes than that."""
    with_state: Entries = sized(entries).annotate(small_state=Case(When(size__lte=at_most, then=F("state"))))
    return with_state
