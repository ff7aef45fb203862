"""Sends the history of the contenders to the history database, and their other tables to ``default``."""

from typing import Any

from django.db import DEFAULT_DB_ALIAS, models

from bench.settings import HISTORY

APP_LABEL = "bench"
HISTORY_MODELS = {"perblockhistory", "historicalsimplehistorymodule"}


class ContendersRouter:
    """Routes the models of the app ``bench``, and leaves other apps to the next router."""

    def db_for_read(self, model: type[models.Model], **hints: Any) -> str | None:
        return _alias(model._meta.model_name) if model._meta.app_label == APP_LABEL else None

    db_for_write = db_for_read

    def allow_migrate(self, db: str, app_label: str, model_name: str | None = None, **hints: Any) -> bool | None:
        return db == _alias(model_name) if app_label == APP_LABEL else None


def _alias(model_name: str | None) -> str:
    return HISTORY if model_name in HISTORY_MODELS else DEFAULT_DB_ALIAS
