"""Names the user and the request on every version that a request writes."""

import re
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from history.conf import conf
from kvstore.versioning.context import MAX_REQUEST_ID_LENGTH, change_context

# What comes from outside is kept only where it is a plain token.
REQUEST_ID = re.compile(rf"[\w.:-]{{1,{MAX_REQUEST_ID_LENGTH}}}", re.ASCII)

GetResponse = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]


class ChangeContextMiddleware:
    """Sets the change context of each request: its user, and its request id.

    The request id is the value of the header that HISTORY_REQUEST_ID_HEADER names, else a generated one.

    Place it after the authentication middleware. The user is looked up only when a version is written. What a streaming
    response writes while it is sent is outside the request, and so outside this context.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response: Any = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self.__acall__(request)
        with change_context(actor=lambda: getattr(request, "user", None), request_id=request_id(request)):
            response: HttpResponseBase = self.get_response(request)
            return response

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        with change_context(actor=lambda: getattr(request, "user", None), request_id=request_id(request)):
            response: HttpResponseBase = await self.get_response(request)
            return response


def request_id(request: HttpRequest) -> str:
    """Return the value of the header that HISTORY_REQUEST_ID_HEADER names if it is a plain token, else a new id.

    Any client can send any header, so only a project knows whether its proxy replaces what the client sent.
    """
    name = conf.HISTORY_REQUEST_ID_HEADER
    given = "" if name is None else request.headers.get(name, "")
    return given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
