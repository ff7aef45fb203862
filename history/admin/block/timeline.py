"""The timeline of a block for a learner: what each version changed, and what in it asks for attention."""

from __future__ import annotations

from itertools import islice
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils import timezone
from django.utils.translation import gettext as _

from history.admin.block.pages import (
    BlockPagesAdmin,
    block_page,
    entry_url,
    get_owner_or_404,
    page_url,
    usernames_on,
    version_key,
)
from history.admin.block.version_summary import summarize, with_comparable_state
from history.comparison.chart import Point, render_chart
from history.reading.outline import Outline, completeness, recent_versions
from history.reading.timeline import WHOLE, Span, timeline_of
from kvstore.admin.rendering import score_text
from kvstore.signals import DELETED
from kvstore.staff.dates import InvalidFilterValue, earliest

PAGE_SIZE = 50


def timeline_page(model_admin: BlockPagesAdmin, request: HttpRequest, row_id: int) -> HttpResponseBase:
    """Show a page of versions, newest first, each beside what it changed."""
    owner = get_owner_or_404(model_admin, request, row_id)
    key = version_key(request.GET.get("older", ""), row_id)
    span = Span(older_than=key[:2]) if key else WHOLE
    found = timeline_of(owner.student_id, owner.address, span, prepare=with_comparable_state, page_size=PAGE_SIZE + 1)
    # One more than is shown: what the last one changed is seen from the one before it.
    entries = list(islice((entry for entry in found if not entry.is_branch), PAGE_SIZE + 1))
    glance = recent_versions(owner)
    names = usernames_on(owner, entries)
    return block_page(
        model_admin,
        request,
        owner,
        row_id,
        "timeline",
        title=_("Timeline"),
        names=names,
        steps=summarize(model_admin, entries, names, PAGE_SIZE),
        completeness=completeness(owner, row_id, glance),
        branch=[] if key else _branch(model_admin, glance),
        picture=render_chart(_points(glance)),
        older_url=_older_url(entries),
        newer_url=_newer_url(glance, entries, is_first=key is None),
        moment_url=page_url(model_admin, "moment", row_id),
        compare_url=page_url(model_admin, "compare", row_id),
        export_url=page_url(model_admin, "timeline_export", row_id),
        zone=timezone.get_current_timezone_name(),
    )


def moment_page(model_admin: BlockPagesAdmin, request: HttpRequest, row_id: int) -> HttpResponseBase:
    """Lead to the version that held at a moment."""
    owner = get_owner_or_404(model_admin, request, row_id)
    try:
        moment = earliest(request.GET.get("moment", "").strip())
    except InvalidFilterValue as error:
        messages.error(request, str(error))
        return HttpResponseRedirect(page_url(model_admin, "timeline", row_id))
    found = timeline_of(
        owner.student_id, owner.address, Span(until=moment), prepare=lambda rows: rows.defer("state"), page_size=1
    )
    entry = next(found, None)
    if entry is None:
        messages.warning(request, _("No version was written until %(moment)s.") % {"moment": moment})
        return HttpResponseRedirect(page_url(model_admin, "timeline", row_id))
    messages.info(request, _("This is what held at %(moment)s.") % {"moment": moment})
    return HttpResponseRedirect(entry_url(model_admin, "version", entry))


def _branch(model_admin: BlockPagesAdmin, glance: Outline) -> list[dict[str, Any]]:
    """Return the versions from which the present state does not descend, for the page to list."""
    return [
        {
            "entry": found.entry,
            "is_proved": found.is_proved,
            "score": score_text(found.entry),
            "url": entry_url(model_admin, "version", found.entry),
            "restore_url": entry_url(model_admin, "restore", found.entry) if found.entry.action != DELETED else "",
        }
        for found in glance.branch
    ]


def _points(glance: Outline) -> list[Point]:
    return [
        Point(entry.version, entry.created, entry.grade, entry.max_grade, entry.size or 0, entry.action)
        for entry in reversed(glance.entries)
    ]


def _older_url(entries: list[Any]) -> str:
    if len(entries) <= PAGE_SIZE:
        return ""
    last = entries[PAGE_SIZE - 1]
    return f"?older={last.student_module_id}.{last.version}"


def _newer_url(glance: Outline, entries: list[Any], *, is_first: bool) -> str:
    """Return where the page before this one begins, the newest where it lies further back than was looked at."""
    if is_first:
        return ""
    keys = [(entry.student_module_id, entry.version) for entry in glance.entries]
    first = entries and (entries[0].student_module_id, entries[0].version)
    place = keys.index(first) if first in keys else 0
    if place <= PAGE_SIZE:
        return "?"
    row_id, version = keys[place - PAGE_SIZE - 1]
    return f"?older={row_id}.{version}"
