"""What a load balancer or a monitor asks: is this host able to keep learners' state, and is its history kept?"""

from dataclasses import replace

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse

from history import api as history


def health(request: HttpRequest) -> HttpResponse:
    """Answer 200 while learners can work, also when their history waits for its database; 503 when they cannot.

    What the databases say of themselves is for the log, not for whoever asks.
    """
    try:
        found = history.health()
    except DatabaseError:
        return JsonResponse({"state": "unavailable"}, status=503)
    return JsonResponse({"state": "available", "history": replace(found, error="").as_dict()})
