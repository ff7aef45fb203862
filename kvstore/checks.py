"""System checks of kvstore. docs/reference/checks.md explains each id."""

from collections.abc import Collection, Iterator
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import checks
from django.db import connections, models

from kvstore.conf import HISTORY_LABEL
from kvstore.fields import CASE_SENSITIVE_COLLATIONS, CaseSensitiveCharField
from kvstore.models import StudentModule

DOCS = "See docs/reference/checks.md#"
HISTORY_APP = "history"

CHARACTER_SET = "utf8mb4"
COLUMNS_OF_MYSQL = """
SELECT table_name, column_name, character_set_name, collation_name FROM information_schema.columns
WHERE table_schema = DATABASE() AND character_set_name IS NOT NULL
"""


def register() -> None:
    checks.register(check_history_app, checks.Tags.compatibility)
    checks.register(check_user_model, checks.Tags.models)
    checks.register(check_character_sets, checks.Tags.database, deploy=True)


def check_history_app(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Check that the app ``history`` is this distribution's: Python imports another package of that name silently."""
    if HISTORY_LABEL in apps.app_configs:
        return []
    for config in apps.get_app_configs():
        if config.name == HISTORY_APP:
            return [
                checks.Error(
                    f"'history' in INSTALLED_APPS is {config.path}, which does not record learners' state.",
                    hint=f"Rename that package: it hides that of django-student-module-store. {DOCS}kvstore-e001",
                    id="kvstore.E001",
                )
            ]
    return []


def check_user_model(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Check that the user model has an integer primary key, because history entries store it as an integer."""
    key = get_user_model()._meta.pk
    if isinstance(key, models.IntegerField):
        return []
    return [
        checks.Error(
            f"{settings.AUTH_USER_MODEL} has a primary key of type {type(key).__name__}; learners' ids are stored "
            "as integers of at most 64 bits.",
            hint=f"Use a user model with an integer primary key. {DOCS}kvstore-e002",
            id="kvstore.E002",
        )
    ]


def check_character_sets(
    app_configs: Any, databases: Collection[str] | None = None, **kwargs: Any
) -> Iterator[checks.CheckMessage]:
    """Check the columns on MySQL. The conversion of a table makes its keys ignore case."""
    for alias in databases or ():
        if connections[alias].vendor == "mysql" and (wrong := sorted(_wrong_columns(alias))):
            yield checks.Error(
                f"{alias!r} has columns with another character set or collation than the migrations give them: "
                f"{', '.join(wrong)}.",
                hint=f"Change these columns. {DOCS}kvstore-e003",
                id="kvstore.E003",
            )


def _wrong_columns(alias: str) -> Iterator[str]:
    """Return the names of key columns that ignore case, and of other text columns that cannot store all characters."""
    with connections[alias].cursor() as cursor:
        cursor.execute(COLUMNS_OF_MYSQL)
        stored = {(table, column): found for table, column, *found in cursor.fetchall()}
    for model in apps.get_models():
        if model._meta.app_label not in (StudentModule._meta.app_label, HISTORY_LABEL):
            continue
        for field in model._meta.local_fields:
            character_set, collation = stored.get((model._meta.db_table, field.column), (None, None))
            is_key = isinstance(field, CaseSensitiveCharField)
            # Choices and JSON contain ASCII only.
            is_text = type(field) is models.CharField and not field.choices
            if (is_key and collation not in (None, CASE_SENSITIVE_COLLATIONS["mysql"])) or (
                is_text and character_set not in (None, CHARACTER_SET)
            ):
                yield f"{model._meta.db_table}.{field.column}"
