"""Columns for opaque keys and names that tell ``abc`` from ``ABC`` on every database.

edx-opaque-keys has columns of its own: they ignore case unless asked, break on ``only()`` and ``defer()``,
fail with a bare AssertionError, and parse the key of every row.
"""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.query_utils import DeferredAttribute
from opaque_keys import OpaqueKey
from opaque_keys.edx.keys import LearningContextKey, UsageKey

from kvstore.exceptions import UnusableKey
from kvstore.keys import MAX_KEY_LENGTH, key_from_text, text_from_key
from kvstore.versioning.digests import DIGEST_LENGTH

# PostgreSQL compares text byte by byte unless told otherwise; the others have to be told.
CASE_SENSITIVE_COLLATIONS = {"sqlite": "BINARY", "mysql": "utf8mb4_bin"}

DRIVERS_READING_BYTES = {"psycopg", "sqlite3.dbapi2", "MySQLdb"}
"""those whose value of a binary column is ``bytes``; that of psycopg2 is a memoryview"""


# CharField is generic to the type checker alone; it takes no parameter at run time.
class CaseSensitiveCharField(models.CharField):  # type: ignore[type-arg]
    """Text whose equality, order, indexes and unique constraints respect case on every database.

    ``contains`` and its like are the database's own; SQLite ignores case in them.
    """

    def db_parameters(self, connection: BaseDatabaseWrapper) -> dict[str, Any]:
        parameters: dict[str, Any] = super().db_parameters(connection)
        parameters["collation"] = CASE_SENSITIVE_COLLATIONS.get(connection.vendor)
        return parameters


class KeyAttribute(DeferredAttribute):
    """The attribute of a key column: always a key or None, whether a key or its text is assigned.

    Assigning text that is no key raises UnusableKey.
    """

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
    """A key in a form: what is no key is an error of the form, before a model sees it."""

    def __init__(self, *, key_field: "OpaqueKeyField", **kwargs: Any) -> None:
        self.key_field = key_field
        super().__init__(**kwargs)

    def clean(self, value: Any) -> Any:
        return self.key_field.to_python(super().clean(value))


class OpaqueKeyField(CaseSensitiveCharField):
    """A key, stored as its text. Takes keys and text alike in filters; reads back keys."""

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


class DigestField(models.BinaryField):  # type: ignore[type-arg]
    """The digest of a version, as bytes on every database. MySQL could not index Django's own column for bytes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", DIGEST_LENGTH)
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        if kwargs.get("max_length") == DIGEST_LENGTH:
            del kwargs["max_length"]
        return name, path, args, kwargs

    def db_type(self, connection: BaseDatabaseWrapper) -> str | None:
        if connection.vendor == "mysql":
            return f"varbinary({self.max_length})"
        column: str | None = super().db_type(connection)
        return column

    def get_db_converters(self, connection: BaseDatabaseWrapper) -> list[Any]:
        # A converter costs a function call for each row, and a copy of the row.
        driver = getattr(connection, "Database", None)
        reads_bytes = getattr(driver, "__name__", "") in DRIVERS_READING_BYTES
        return [] if reads_bytes else super().get_db_converters(connection)

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> bytes | None:
        return None if value is None else bytes(value)

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:  # noqa: FBT001  Django's signature
        """Let the instance compute its digest now, after the receivers of the signal ``pre_save``."""
        compute = getattr(model_instance, "compute_digest", None)
        if compute is not None:
            setattr(model_instance, self.attname, compute())
        return super().pre_save(model_instance, add)
