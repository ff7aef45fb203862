"""The learner's pages, and the two addresses for blocks: handlers and resources."""

import json
import mimetypes

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from opaque_keys import InvalidKeyError
from opaque_keys.edx.keys import LearningContextKey, UsageKey
from xblock.django.request import django_to_webob_request, webob_to_django_response
from xblock.exceptions import DisallowedFileError, NoSuchHandlerError, NoSuchUsage
from xblock.plugin import PluginMissingError

from demo.conformance import CONFORMANCE_COURSES
from demo.course import Course
from demo.page import CoursePage
from demo.registry import is_installed, load_class
from demo.runtime import open_block, open_course
from demo.sample_course import SAMPLE_COURSE

COURSES: dict[LearningContextKey, Course] = {
    course.key: course for course in (SAMPLE_COURSE, *CONFORMANCE_COURSES.values())
}


@require_safe
@never_cache
@login_required
def courseware(request: HttpRequest) -> HttpResponse:
    """Show the sample course with this learner's state."""
    root = open_course(SAMPLE_COURSE, _learner(request))
    suites = [name for name, course in CONFORMANCE_COURSES.items() if _runs_here(course)]
    page = CoursePage(root)
    return render(request, "demo/courseware.html", {"page": page, "suites": suites})


@require_safe
@never_cache
@login_required
def conformance(request: HttpRequest, suite: str) -> HttpResponse:
    """Show a published block that checks its host, if its package is installed."""
    course = CONFORMANCE_COURSES.get(suite)
    if course is None or not _runs_here(course):
        raise Http404(f"No conformance suite {suite} is installed")
    page = CoursePage(open_course(course, _learner(request)))
    return render(request, "demo/conformance.html", {"page": page, "suite": suite})


@require_POST
def handler(request: HttpRequest, usage_key: str, name: str, suffix: str = "") -> HttpResponse:
    """Run a handler of a block for the signed-in learner; 404 for an unknown block or handler.

    By POST only, so that Django's CSRF check covers every handler.
    """
    learner = _learner(request)
    key = _key_in_a_course(usage_key)
    if _is_nested_too_deeply(request.body):
        return JsonResponse({"error": "The JSON is nested too deeply."}, status=400)
    try:
        block = open_block(COURSES[key.context_key], learner, key)
        answer = block.handle(name, django_to_webob_request(request), suffix)
    except (NoSuchUsage, NoSuchHandlerError) as absent:
        raise Http404("No such block or handler") from absent
    response: HttpResponse = webob_to_django_response(answer)
    return response


@require_safe
@login_required
def resource(request: HttpRequest, family: str, block_type: str, uri: str) -> FileResponse:
    """Serve a public file of a block's package; 404 for any other path."""
    try:
        content = load_class(family, block_type).open_local_resource(uri)
    except (PluginMissingError, DisallowedFileError, OSError) as absent:
        raise Http404("No such resource") from absent
    content_type, _ = mimetypes.guess_type(uri)
    return FileResponse(content, content_type=content_type or "application/octet-stream")


def _learner(request: HttpRequest) -> User:
    """Return the signed-in learner. A script gets an error, where a page would redirect to the sign-in page."""
    if not request.user.is_authenticated:
        raise PermissionDenied("Sign in first")
    return request.user


def _is_nested_too_deeply(body: bytes) -> bool:
    """Return whether reading a body as JSON, as a handler may do, exceeds Python's recursion limit."""
    try:
        json.loads(body)
    except RecursionError:
        return True
    except ValueError:
        # Such as a form. A handler for JSON refuses it.
        return False
    return False


def _key_in_a_course(usage_key: str) -> UsageKey:
    try:
        key = UsageKey.from_string(usage_key)
    except InvalidKeyError as malformed:
        raise Http404("Not a usage key") from malformed
    if key.context_key not in COURSES:
        raise Http404("No such course")
    return key


def _runs_here(course: Course) -> bool:
    return is_installed(course.root_key.block_type)
