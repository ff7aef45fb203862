"""The database router for history entries. Add ``routers.StudentModuleHistoryRouter`` to DATABASE_ROUTERS, before
routers that route every app."""

from typing import Any

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, models, router

from history.conf import APP_LABEL, conf

Model = models.Model | type[models.Model]


class StudentModuleHistoryRouter:
    """Routes the entries of the app ``xblock_history`` to HISTORY_DATABASE_ALIAS, and migrates no other app there.

    The alias ``default`` stores state and history in one database.
    """

    def db_for_read(self, model: type[models.Model], **hints: Any) -> str | None:
        return conf.HISTORY_DATABASE_ALIAS if _is_entry(model) else None

    def db_for_write(self, model: type[models.Model], **hints: Any) -> str | None:
        return conf.HISTORY_DATABASE_ALIAS if _is_entry(model) else None

    def allow_relation(self, obj1: Model, obj2: Model, **hints: Any) -> bool | None:
        """Refuse relations between a history entry and a model in another database."""
        entries = _is_entry(obj1) + _is_entry(obj2)
        if entries == 0 or conf.HISTORY_DATABASE_ALIAS == DEFAULT_DB_ALIAS:
            return None
        return entries == 2

    def allow_migrate(self, db: str, app_label: str, model_name: str | None = None, **hints: Any) -> bool | None:
        """Allow migrations of history on the alias of the model; operations without a model on that of the entries."""
        alias = conf.HISTORY_DATABASE_ALIAS
        if app_label != APP_LABEL:
            return False if db == alias != DEFAULT_DB_ALIAS else None
        # The hint is the model as of the migration, which may not be installed any more.
        if _is_beside_state(hints.get("model")) or _is_beside_state(_installed_model(app_label, model_name)):
            return db == _state_alias()
        return db == alias


def _is_entry(model: Model) -> bool:
    return model._meta.app_label == APP_LABEL and not _is_beside_state(model)


def _is_beside_state(model: Model | None) -> bool:
    """Return whether a model of history is stored in the database of the state."""
    return bool(getattr(model, "beside_state", False))


def _installed_model(app_label: str, model_name: str | None) -> type[models.Model] | None:
    try:
        return apps.get_model(app_label, model_name) if model_name else None
    except LookupError:
        return None


def _state_alias() -> str:
    return router.db_for_write(apps.get_model("xblock_kvstore", "StudentModule"))
