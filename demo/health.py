"""A health page for load balancers and monitors: the state and the history."""

from dataclasses import replace

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse

from history import api as history


def health(request: HttpRequest) -> HttpResponse:
    """Answer 200 if learners can work, also while entries are pending; otherwise 503.

    The response contains no error text of the databases; the log does.
    """
    try:
        found = history.health(through_breaker=True)
    except DatabaseError:
        return JsonResponse({"state": "unavailable"}, status=503)
    return JsonResponse({"state": "available", "history": replace(found, error="").as_dict()})
