"""Access to the pages: for a program that sends the token, and for a staff user with the permission."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare

from history.conf import conf

PERMISSION = "xblock_history.view_pendinghistory"
"""also needed for the admin's list of pending entries, which the pages summarize"""

SCHEME = "bearer"

UNAUTHENTICATED = "Send the token of HISTORY_MONITORING_TOKEN as a bearer token, or sign in as staff.\n"
FORBIDDEN = f"This page requires a staff user with the permission {PERMISSION}.\n"

View = Callable[..., HttpResponse]


def for_monitors(view: View) -> View:
    """Decorate a view: 401 without a valid token and without a signed-in user, 403 for another user.

    A request with the token does not read the session, so it is answered while the database of the state is down.
    """

    @wraps(view)
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if has_token(request):
            return view(request, *args, **kwargs)
        user = getattr(request, "user", None)
        if user is None or not user.is_authenticated:
            response = HttpResponse(UNAUTHENTICATED, status=401, content_type="text/plain")
            response["WWW-Authenticate"] = 'Bearer realm="history"'
            return response
        if not (user.is_staff and user.has_perm(PERMISSION)):
            return HttpResponse(FORBIDDEN, status=403, content_type="text/plain")
        return view(request, *args, **kwargs)

    return wrapper


def has_token(request: HttpRequest) -> bool:
    """Return whether the header Authorization contains HISTORY_MONITORING_TOKEN, compared in constant time."""
    expected = conf.HISTORY_MONITORING_TOKEN
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if not expected or scheme.lower() != SCHEME:
        return False
    return constant_time_compare(token.strip(), expected)
