"""Case-sensitive model fields for opaque keys and names, and a field for digests.

The fields of edx-opaque-keys ignore case by default, fail with ``only()`` and ``defer()``, raise AssertionError without
a message, and parse the key of every row.
"""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F, Lookup, Value
from django.db.models.query_utils import DeferredAttribute
from opaque_keys import OpaqueKey
from opaque_keys.edx.keys import LearningContextKey, UsageKey

from kvstore.exceptions import UnusableKey
from kvstore.keys import MAX_KEY_LENGTH, key_from_text, text_from_key
from kvstore.versioning.digests import DIGEST_LENGTH

# PostgreSQL compares text byte by byte by default.
CASE_SENSITIVE_COLLATIONS = {"sqlite": "BINARY", "mysql": "utf8mb4_bin"}

DRIVERS_READING_BYTES = {"psycopg", "sqlite3.dbapi2", "MySQLdb"}
"""drivers that return ``bytes`` for a binary column; psycopg2 returns a memoryview"""


# CharField is generic in the type stubs only.
class CaseSensitiveCharField(models.CharField):  # type: ignore[type-arg]
    """Text that every database compares, sorts and indexes with regard to case.

    On SQLite, ``contains`` and similar look-ups ignore case all the same.
    """

    def db_parameters(self, connection: BaseDatabaseWrapper) -> dict[str, Any]:
        parameters: dict[str, Any] = super().db_parameters(connection)
        parameters["collation"] = CASE_SENSITIVE_COLLATIONS.get(connection.vendor)
        return parameters


class KeyAttribute(DeferredAttribute):
    """Converts assigned text to a key, so that the attribute is a key or None. Raises UnusableKey."""

    field: "OpaqueKeyField"

    def __get__(self, instance: Any, cls: Any = None) -> Any:
        if instance is None:
            return self
        values = instance.__dict__
        name = self.field.attname
        return values[name] if name in values else super().__get__(instance, cls)

    def __set__(self, instance: Any, value: Any) -> None:
        if isinstance(value, str):
            value = key_from_text(value, self.field.key_class) if value else None
        instance.__dict__[self.field.attname] = value


class KeyFormField(forms.CharField):
    """A form field that reports invalid keys as a ValidationError."""

    def __init__(self, *, key_field: "OpaqueKeyField", **kwargs: Any) -> None:
        self.key_field = key_field
        super().__init__(**kwargs)

    def clean(self, value: Any) -> Any:
        return self.key_field.to_python(super().clean(value))


class OpaqueKeyField(CaseSensitiveCharField):
    """An opaque key, stored as text. Filters accept keys and text; loaded values are keys."""

    key_class: type[OpaqueKey]
    descriptor_class = KeyAttribute

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", MAX_KEY_LENGTH)
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        if kwargs.get("max_length") == MAX_KEY_LENGTH:
            del kwargs["max_length"]
        return name, path, args, kwargs

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:
        return None if not value else key_from_text(value, self.key_class)

    def to_python(self, value: Any) -> Any:
        if not value or isinstance(value, self.key_class):
            return value or None
        try:
            return key_from_text(str(value), self.key_class)
        except UnusableKey as error:
            raise ValidationError(str(error), code="invalid") from error

    def get_prep_value(self, value: Any) -> str | None:
        if value is None:
            return None
        if isinstance(value, str):
            value = key_from_text(value, self.key_class)
        return text_from_key(value, self.key_class)

    def formfield(self, **kwargs: Any) -> Any:
        given: dict[str, Any] = {"form_class": KeyFormField, "key_field": self} | kwargs
        return super().formfield(**given)

    def value_to_string(self, obj: models.Model) -> str:
        return str(self.value_from_object(obj) or "")


class UsageKeyField(OpaqueKeyField):
    """The usage key of a block or of an aside."""

    key_class = UsageKey


class LearningContextKeyField(OpaqueKeyField):
    """The key of a course, library or other learning context."""

    key_class = LearningContextKey


# Like CharField, BinaryField is generic for the type checker only.
class DigestField(models.BinaryField):  # type: ignore[type-arg]
    """The digest of a version, as bytes. MySQL cannot index the column type of BinaryField."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", DIGEST_LENGTH)
        super().__init__(*args, **kwargs)

    def db_type(self, connection: BaseDatabaseWrapper) -> str | None:
        if connection.vendor == "mysql":
            return f"varbinary({self.max_length})"
        column: str | None = super().db_type(connection)
        return column

    def get_db_converters(self, connection: BaseDatabaseWrapper) -> list[Any]:
        # A converter costs a function call and a copy for each row.
        driver = getattr(connection, "Database", None)
        reads_bytes = getattr(driver, "__name__", "") in DRIVERS_READING_BYTES
        return [] if reads_bytes else super().get_db_converters(connection)

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> bytes | None:
        return None if value is None else bytes(value)

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:  # noqa: FBT001  Django's signature
        """Let the instance compute its digest, after all receivers of ``pre_save`` have run."""
        compute = getattr(model_instance, "compute_digest", None)
        if compute is not None:
            setattr(model_instance, self.attname, compute())
        return super().pre_save(model_instance, add)


class OpaqueEquality(Lookup):
    """Equality that the planner does not treat as constant.

    PostgreSQL gets ANY of a one-element array, which its indexes follow like an equality, and MySQL a range of one
    value.
    """

    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        return self._sql(compiler, "{0} = {1}", times=1)

    def as_postgresql(self, compiler: Any, connection: Any) -> Any:
        return self._sql(compiler, "{0} = ANY (ARRAY[{1}])", times=1)

    def as_mysql(self, compiler: Any, connection: Any) -> Any:
        return self._sql(compiler, "({0} >= {1} AND {0} <= {1})", times=2)

    def _sql(self, compiler: Any, template: str, times: int) -> Any:
        (left, left_parameters), (right, right_parameters) = map(compiler.compile, (self.lhs, self.rhs))
        return template.format(left, right), (*left_parameters, *right_parameters) * times


def equals_opaquely(model: type[models.Model], column: str, value: Any) -> OpaqueEquality:
    """Return the OpaqueEquality of a column of ``model`` and a value."""
    field: Any = model._meta.get_field(column)
    return OpaqueEquality(F(column), Value(value, output_field=field))
