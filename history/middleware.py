"""Records the user and the request of every version that a request writes."""

import re
import uuid
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from history.conf import conf
from kvstore.versioning.context import MAX_REQUEST_ID_LENGTH, change_context

REQUEST_ID = re.compile(rf"[\w.:-]{{1,{MAX_REQUEST_ID_LENGTH}}}", re.ASCII)

GetResponse = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]


class ChangeContextMiddleware:
    """Sets the change context of each request: its user and its request id (see :func:`request_id`).

    Place it after the authentication middleware. The user is loaded only when a version is written. Versions written
    while a streaming response is sent are outside the context.
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
        with _context_of(request):
            response: HttpResponseBase = self.get_response(request)
            return response

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        with _context_of(request):
            response: HttpResponseBase = await self.get_response(request)
            return response


def request_id(request: HttpRequest) -> str:
    """Return the header HISTORY_REQUEST_ID_HEADER if it is a plain token, otherwise a new id.

    A client can send any value. Only the project knows whether its proxy replaces the header.
    """
    name = conf.HISTORY_REQUEST_ID_HEADER
    value = "" if name is None else request.headers.get(name, "")
    return value if REQUEST_ID.fullmatch(value) else uuid.uuid4().hex


def _context_of(request: HttpRequest) -> AbstractContextManager[Any]:
    return change_context(actor=lambda: getattr(request, "user", None), request_id=request_id(request))
