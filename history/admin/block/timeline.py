"""Page: all versions of a block for a learner, with changes and flags."""

from __future__ import annotations

from itertools import islice
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils import timezone
from django.utils.translation import gettext as _

from history.admin.block.pages import (
    block_page,
    entry_url,
    get_owner_or_404,
    key_of,
    page_url,
    usernames_on,
    version_key,
)
from history.admin.block.version_summary import summarize, with_comparable_state
from history.admin.permissions import HistoryAdmin
from history.comparison.chart import render_chart
from history.comparison.chart_events import Point
from history.reading.completeness import completeness
from history.reading.outline import Outline, recent_versions
from history.reading.timeline import WHOLE, TimelinePart, timeline_of
from kvstore.admin.rendering import score_text
from kvstore.signals import DELETED
from kvstore.staff.dates import InvalidFilterValue, earliest

PAGE_SIZE = 50


def timeline_page(model_admin: HistoryAdmin, request: HttpRequest, row_id: int) -> HttpResponseBase:
    owner = get_owner_or_404(model_admin, request, row_id)
    key = version_key(request.GET.get("older", ""), row_id)
    part = TimelinePart(older_than=key[:2]) if key else WHOLE
    found = timeline_of(owner.student_id, owner.address, part, prepare=with_comparable_state, page_size=PAGE_SIZE + 1)
    # One more than is shown, to compare the last one with.
    entries = list(islice((entry for entry in found if not entry.is_branch), PAGE_SIZE + 1))
    outline = recent_versions(owner)
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
        completeness=completeness(owner, row_id, outline),
        branch=[] if key else _branch(model_admin, outline),
        chart=render_chart(_points(outline)),
        older_url=f"?older={key_of(entries[PAGE_SIZE - 1])}" if len(entries) > PAGE_SIZE else "",
        newer_url=_newer_url(outline, entries, is_first=key is None),
        moment_url=page_url(model_admin, "moment", row_id),
        compare_url=page_url(model_admin, "compare", row_id),
        export_url=page_url(model_admin, "timeline_export", row_id),
        evidence_url=page_url(model_admin, "evidence", row_id),
        zone=timezone.get_current_timezone_name(),
    )


def moment_page(model_admin: HistoryAdmin, request: HttpRequest, row_id: int) -> HttpResponseBase:
    """Redirect to the version that was current at the moment in the parameter ``moment``."""
    owner = get_owner_or_404(model_admin, request, row_id)
    try:
        moment = earliest(request.GET.get("moment", "").strip())
    except InvalidFilterValue as error:
        messages.error(request, str(error))
        return HttpResponseRedirect(page_url(model_admin, "timeline", row_id))
    found = timeline_of(
        owner.student_id,
        owner.address,
        TimelinePart(until=moment),
        prepare=lambda rows: rows.defer("state"),
        page_size=1,
    )
    entry = next(found, None)
    if entry is None:
        messages.warning(request, _("No version existed at %(moment)s.") % {"moment": moment})
        return HttpResponseRedirect(page_url(model_admin, "timeline", row_id))
    messages.info(request, _("This version was current at %(moment)s.") % {"moment": moment})
    return HttpResponseRedirect(entry_url(model_admin, "version", entry))


def _branch(model_admin: HistoryAdmin, outline: Outline) -> list[dict[str, Any]]:
    """Return the versions that the current state does not descend from."""
    return [
        {
            "entry": found.entry,
            "is_proved": found.is_proved,
            "score": score_text(found.entry),
            "url": entry_url(model_admin, "version", found.entry),
            "restore_url": entry_url(model_admin, "restore", found.entry) if found.entry.action != DELETED else "",
        }
        for found in outline.branch
    ]


def _points(outline: Outline) -> list[Point]:
    return [
        Point(entry.version, entry.created, entry.grade, entry.max_grade, entry.size or 0, entry.action)
        for entry in reversed(outline.entries)
    ]


def _newer_url(outline: Outline, entries: list[Any], *, is_first: bool) -> str:
    """Return the address of the previous page, or of the first one if the outline does not reach this page."""
    if is_first:
        return ""
    keys = [key_of(entry) for entry in outline.entries]
    first = key_of(entries[0]) if entries else ""
    position = keys.index(first) if first in keys else 0
    return f"?older={keys[position - PAGE_SIZE - 1]}" if position > PAGE_SIZE else "?"
