"""Views for tests: sign in, write state, do nothing."""

from asgiref.sync import sync_to_async
from django.contrib.auth import authenticate, login
from django.http import HttpRequest, JsonResponse
from django.urls import path

from history.api import current_change
from kvstore.api import DjangoXBlockUserStateClient
from tests.kvstore.cache.blocks import usage


def idle(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"request_id": current_change().request_id})


def sign_in(request: HttpRequest) -> JsonResponse:
    user = authenticate(request, username=request.POST["username"], password=request.POST["password"])
    login(request, user)
    return whoami(request)


def whoami(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"username": request.user.get_username()})


def write(request: HttpRequest) -> JsonResponse:
    """Set the learner's answer to each posted answer in turn."""
    for answer in request.POST.getlist("answer"):
        DjangoXBlockUserStateClient().set(request.POST["learner"], usage("block"), {"answer": answer})
    return JsonResponse({"request_id": current_change().request_id})


def fail(request: HttpRequest) -> JsonResponse:
    raise ZeroDivisionError


async def write_async(request: HttpRequest) -> JsonResponse:
    return await sync_to_async(write)(request)


urlpatterns = [
    path("idle/", idle),
    path("sign-in/", sign_in),
    path("whoami/", whoami),
    path("write/", write),
    path("write-async/", write_async),
    path("fail/", fail),
]
