"""Notes in Django's own log of what staff did in the admin."""

from typing import Any, cast

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.http import HttpRequest

MAX_REPR_LENGTH = 200


def note(request: HttpRequest, row: Model, message: str) -> None:
    """Note what the user did with a row or an entry."""
    note_about(request, type(row), row.pk, str(row), message)


def note_about(request: HttpRequest, model: type[Model], object_id: Any, described: str, message: str) -> None:
    """Note what the user did with something that a model keeps."""
    LogEntry.objects.create(
        user_id=cast(int, request.user.pk),
        content_type=ContentType.objects.get_for_model(model),
        object_id="" if object_id is None else str(object_id),
        object_repr=described[:MAX_REPR_LENGTH],
        action_flag=CHANGE,
        change_message=message,
    )
