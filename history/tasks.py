"""Delivery as a background task of Django's task framework.

``deliver_pending`` exists where Django has ``django.tasks`` (6.0 and newer), or where the package django-tasks is
installed. Without both, the module can be imported, and the import of ``deliver_pending`` raises ImproperlyConfigured.
"""

from importlib import import_module
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from history.exceptions import HistoryUnavailable
from history.recording.delivery import deliver

FRAMEWORKS = ("django.tasks", "django_tasks")
"""the modules that define the decorator ``task``; the second one is optional and for Django 5.2"""

MISSING = (
    "history.tasks.deliver_pending needs django.tasks, which Django 6.0 introduced. With Django 5.2, install the "
    "package django-tasks and add 'django_tasks' to INSTALLED_APPS, or run `manage.py deliver_history --watch` instead."
)


def _task_decorator() -> Any:
    for name in FRAMEWORKS:
        try:
            return import_module(name).task
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
    return None


task = _task_decorator()

if task is not None:

    @task
    def deliver_pending() -> dict[str, int]:
        """Deliver all pending entries; return the numbers of delivered and of refused entries.

        Raises HistoryUnavailable if a database fails. Entries that were not delivered stay pending, so the task can be
        repeated. Several tasks can run at once.
        """
        result = deliver()
        if result.error:
            raise HistoryUnavailable(f"The pending entries were not delivered: {result.error}.") from result.error
        return {"delivered": result.delivered, "refused": result.refused}

else:

    def __getattr__(name: str) -> Any:
        if name == "deliver_pending":
            raise ImproperlyConfigured(MISSING)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
