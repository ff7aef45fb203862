"""Page: the courses of a learner, or all blocks of one course, now or at a given time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from opaque_keys.edx.keys import LearningContextKey, UsageKey

from history.admin.block.pages import entry_url, page_url, with_grade
from history.admin.learner.blocks import (
    MAX_DELETED,
    Block,
    deleted_blocks,
    present_block,
    recorded_block,
    rows_after,
    without_row,
)
from history.admin.learner.courses import Course, courses_of
from history.admin.learner.entries import COMPARED, NEWEST_ENTRIES, newest_versions, traces_of
from history.admin.permissions import HistoryAdmin
from history.admin.urls import list_url
from history.exceptions import HistoryUnavailable
from history.models import Entry
from kvstore.admin.links import learner_url
from kvstore.exceptions import UnusableKey
from kvstore.keys import key_from_text
from kvstore.staff.dates import InvalidFilterValue, earliest, input_value
from kvstore.staff.users import MAX_ID, display_name, names_for


class Request(NamedTuple):
    """The parameters of the page."""

    course: str | None
    moment: datetime | None
    after: str | None
    problems: list[str]
    """sentences for staff about parameters that cannot be used"""


class Shown(NamedTuple):
    """A block with the addresses that the user may open."""

    block: Block
    actor: str
    timeline_url: str
    version_url: str
    restore_url: str
    """of the last version before the newest loss"""


def learner_page(model_admin: HistoryAdmin, request: HttpRequest, user_id: int) -> HttpResponseBase:
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    if user_id > MAX_ID:
        raise Http404
    asked = _parameters(request)
    if asked.course is None:
        return _courses_page(model_admin, request, user_id, asked)
    if not model_admin.has_view_permission(request, Course(asked.course, 0)):
        raise PermissionDenied
    return _blocks_page(model_admin, request, user_id, asked.course, asked)


def _parameters(request: HttpRequest) -> Request:
    problems: list[str] = []
    # A plus sign that was not encoded arrives as a space, which keys cannot contain.
    course = request.GET.get("course", "").strip().replace(" ", "+")
    course_key = _key(course, LearningContextKey)
    if course and course_key is None:
        problems.append(_("%(text)r is not the key of a course.") % {"text": course[:200]})
    text, moment = request.GET.get("moment", "").strip(), None
    try:
        moment = earliest(text) if text else None
    except InvalidFilterValue as error:
        problems.append(str(error))
    return Request(course_key, moment, _key(request.GET.get("after", ""), UsageKey), problems)


def _key(text: str, key_class: Any) -> str | None:
    try:
        return str(key_from_text(text, key_class)) if text else None
    except UnusableKey:
        return None


def _courses_page(model_admin: HistoryAdmin, request: HttpRequest, user_id: int, asked: Request) -> HttpResponseBase:
    unavailable, traces = False, []
    try:
        traces = traces_of(user_id)
    except HistoryUnavailable:
        unavailable = True
    found = courses_of(user_id, traces)
    names = names_for({user_id})
    if not names and not found.courses and not unavailable:
        raise Http404(_("User %(id)s does not exist and has no history.") % {"id": user_id})
    courses = [course for course in found.courses if model_admin.has_view_permission(request, course)]
    if found.courses and not courses:
        raise PermissionDenied
    site = model_admin.admin_site
    return _page(
        model_admin,
        request,
        user_id,
        names,
        asked,
        courses=[(course, learner_url(site, user_id, course.course_id)) for course in courses],
        is_partial=found.is_partial,
        entries_are_partial=len(traces) == NEWEST_ENTRIES,
        newest_entries=NEWEST_ENTRIES,
        unavailable=unavailable,
    )


def _blocks_page(
    model_admin: HistoryAdmin, request: HttpRequest, user_id: int, course: str, asked: Request
) -> HttpResponseBase:
    page = rows_after(user_id, course, asked.after)
    unavailable, deleted, versions = False, [], {}
    traces: Sequence[Any] = ()
    try:
        # Deleted rows are on the first page.
        traces = traces_of(user_id) if asked.after is None else ()
        deleted = _deleted_keys(user_id, course, traces)
        keys = [str(row.module_state_key) for row in page.rows]
        versions = dict(newest_versions(user_id, course, [*keys, *deleted[:MAX_DELETED]], asked.moment))
    except HistoryUnavailable:
        # Without the history, the page shows the present rows only.
        if asked.moment is not None:
            raise
        unavailable = True
    blocks = [_block(row, versions.get(str(row.module_state_key), []), asked.moment) for row in page.rows]
    former = deleted_blocks(deleted[:MAX_DELETED], versions)
    actors = {block.actor_id for block in (*blocks, *former)} - {None}
    names = names_for({user_id, *(actor for actor in actors if actor is not None)})
    may_restore = model_admin.has_restore_permission(request, Course(course, 0))
    return _page(
        model_admin,
        request,
        user_id,
        names,
        asked,
        course=course,
        blocks=[_shown(model_admin, block, names, may_restore=may_restore) for block in blocks],
        deleted=[_shown(model_admin, block, names, may_restore=may_restore) for block in former],
        more_deleted=max(len(deleted) - MAX_DELETED, 0),
        entries_are_partial=len(traces) == NEWEST_ENTRIES,
        newest_entries=NEWEST_ENTRIES,
        compared=COMPARED,
        next_url=_address(request, after=page.next_key) if page.next_key else "",
        first_url=_address(request, after="") if asked.after else "",
        now_url=_address(request, moment=""),
        unavailable=unavailable,
    )


def _deleted_keys(user_id: int, course: str, traces: Sequence[Any]) -> list[str]:
    """Return the usage keys of a course of which the learner has entries and no row.

    The entry of the deletion may be pending; no index finds the pending entries of a learner.
    """
    keys = {trace.module_state_key for trace in traces if trace.course_id == course}
    return without_row(user_id, course, keys) if keys else []


def _block(row: Any, versions: Sequence[Entry], moment: datetime | None) -> Block:
    if moment is None:
        return present_block(row, versions)
    return recorded_block(row.module_state_key, row.module_type, versions)


def _shown(model_admin: HistoryAdmin, block: Block, names: dict[int, str], *, may_restore: bool) -> Shown:
    before = block.losses.before
    return Shown(
        block=block,
        actor="" if block.actor_id is None else display_name(block.actor_id, names),
        timeline_url="" if block.row_id is None else page_url(model_admin, "timeline", block.row_id),
        version_url="" if block.entry is None else entry_url(model_admin, "version", block.entry),
        restore_url=with_grade(entry_url(model_admin, "restore", before)) if before is not None and may_restore else "",
    )


def _address(request: HttpRequest, **changes: str) -> str:
    """Return the address of this page with other parameters; an empty one is removed."""
    kept = {name: request.GET[name] for name in ("course", "moment", "after") if request.GET.get(name)}
    return f"?{urlencode({name: value for name, value in (kept | changes).items() if value})}"


def _page(
    model_admin: HistoryAdmin,
    request: HttpRequest,
    user_id: int,
    names: dict[int, str],
    asked: Request,
    **context: Any,
) -> TemplateResponse:
    site = model_admin.admin_site
    request.current_app = site.name
    learner = display_name(user_id, names)
    shared = {
        **site.each_context(request),
        "opts": model_admin.opts,
        "title": _("Blocks of %(learner)s") % {"learner": learner},
        "subtitle": None,
        "learner": learner,
        "is_deleted": user_id not in names,
        "courses_url": learner_url(site, user_id),
        "entries_url": list_url(site, "studentmodulehistory", q=f"learner:id:{user_id}"),
        "moment": asked.moment,
        "moment_value": input_value(request.GET.get("moment", "")),
        "zone": timezone.get_current_timezone_name(),
        "problems": asked.problems,
    }
    return TemplateResponse(request, "admin/xblock_history/learner.html", shared | context)
