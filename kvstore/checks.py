"""System checks of kvstore. docs/reference/checks.md explains each id."""

from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import checks
from django.db import models

from kvstore.conf import HISTORY_LABEL

DOCS = "See docs/reference/checks.md#"
HISTORY_APP = "history"


def register() -> None:
    checks.register(check_history_app, checks.Tags.compatibility)
    checks.register(check_user_model, checks.Tags.models)


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
