"""Page: all versions of a block for a learner, in steps, with changes and flags."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils import timezone
from django.utils.translation import gettext as _

from history.admin.block.pages import (
    block_page,
    entry_url,
    get_owner_or_404,
    key_of,
    names_on,
    page_url,
    present_row,
)
from history.admin.block.steps import Scan, read_steps
from history.admin.block.timeline_address import TimelineAddress
from history.admin.block.timeline_filters import TimelineFilters
from history.admin.block.version_summary import VersionLink, VersionSummary, summarize_step
from history.admin.permissions import HistoryAdmin
from history.comparison.chart import render_chart
from history.comparison.chart_events import Point
from history.reading.completeness import completeness
from history.reading.outline import Outline, recent_versions
from history.reading.ownership import RowOwner
from history.reading.timeline import TimelinePart, timeline_of
from kvstore.admin.rendering import score_text
from kvstore.signals import DELETED
from kvstore.staff.dates import InvalidFilterValue, earliest, format_moment

PAGE_STEPS = 25


class Life(NamedTuple):
    """The steps of one row on the page. A block has several rows if one was deleted and another was created."""

    row_id: int
    is_current: bool
    deleted: datetime | None
    """None also if the deletion is older than the outline"""
    steps: list[VersionSummary]
    """with the links that choose a version for a comparison"""


def timeline_page(model_admin: HistoryAdmin, request: HttpRequest, row_id: int) -> HttpResponseBase:
    """Show steps of the timeline; of a deleted row, redirect to the timeline of the present row."""
    owner = get_owner_or_404(model_admin, request, row_id)
    present = present_row(owner, row_id)
    if present and present.row_id != row_id:
        return _to_present_row(model_admin, request, row_id, present.row_id)
    filters = TimelineFilters(request.GET, auto_id="filter-%s")
    address = TimelineAddress(request.GET, filters.parameters, row_id)
    scan = _scan(owner, filters, address)
    names = names_on(owner, [entry for step in scan.steps for entry in step.versions])
    steps, oldest = _selected(model_admin, scan, filters, names)
    outline = recent_versions(owner)
    return block_page(
        model_admin,
        request,
        owner,
        row_id,
        "timeline",
        title=_("Timeline"),
        names=names,
        filters=filters,
        address=address,
        pair=_pair(model_admin, address, row_id),
        steps=steps,
        lives=_lives(steps, outline, address, row_id if owner.version else None),
        oldest=oldest,
        older_url=address.older_url(key_of(oldest)) if oldest else "",
        completeness=completeness(owner, row_id, outline),
        branch=[] if address.position else _branch(model_admin, outline),
        chart=render_chart(_points(outline)),
        moment_url=page_url(model_admin, "moment", row_id),
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
        messages.warning(request, _("No version existed at %(moment)s.") % {"moment": format_moment(moment)})
        return HttpResponseRedirect(page_url(model_admin, "timeline", row_id))
    messages.info(request, _("This version was current at %(moment)s.") % {"moment": format_moment(moment)})
    return HttpResponseRedirect(entry_url(model_admin, "version", entry))


def _to_present_row(
    model_admin: HistoryAdmin, request: HttpRequest, old_id: int, present_id: int
) -> HttpResponseRedirect:
    message = _("Row %(old)s was deleted. This timeline contains its versions and those of the present row %(row)s.")
    messages.info(request, message % {"old": old_id, "row": present_id})
    query = request.GET.urlencode()
    return HttpResponseRedirect(f"{page_url(model_admin, 'timeline', present_id)}{'?' if query else ''}{query}")


def _scan(owner: RowOwner, filters: TimelineFilters, address: TimelineAddress) -> Scan:
    """Read the steps to select from; none if a filter is invalid."""
    if not filters.is_valid():
        return Scan([], None)
    older_than = address.position[:2] if address.position else None
    part = TimelinePart(older_than=older_than, until=filters.last_moment)
    return read_steps(owner, part, count=None if filters.parameters else PAGE_STEPS, since=filters.since_moment)


def _selected(
    model_admin: HistoryAdmin, scan: Scan, filters: TimelineFilters, names: dict[int, str]
) -> tuple[list[VersionSummary], Any]:
    """Return the steps of a page that match, and the oldest version of the page if older ones may follow."""
    selected: list[VersionSummary] = []
    for step in scan.steps:
        if filters.selects(step, names):
            summary = summarize_step(model_admin, step.versions, step.older, names, is_continued=step.is_continued)
            selected += [summary] if filters.selects_flags(summary.flags) else []
        if len(selected) > PAGE_STEPS:
            return selected[:-1], selected[-2].versions[-1].entry
    return selected, scan.oldest


def _lives(
    steps: Iterable[VersionSummary], outline: Outline, address: TimelineAddress, present_id: int | None
) -> list[Life]:
    deleted = {entry.student_module_id: entry.created for entry in outline.entries if entry.action == DELETED}
    return [
        Life(row_id, row_id == present_id, deleted.get(row_id), [_with_choices(step, address) for step in of_row])
        for row_id, of_row in groupby(steps, key=lambda step: int(step.entry.student_module_id))
    ]


def _with_choices(step: VersionSummary, address: TimelineAddress) -> VersionSummary:
    def with_choices(version: VersionLink) -> VersionLink:
        key = version.timeline_id
        return version._replace(
            older_choice_url=address.choice_url("a", key), newer_choice_url=address.choice_url("b", key)
        )

    return replace(step, versions=tuple(map(with_choices, step.versions)))


def _pair(model_admin: HistoryAdmin, address: TimelineAddress, row_id: int) -> dict[str, Any]:
    """Return the chosen versions, and the address of their comparison if both are chosen."""
    chosen = address.pair_parameters
    is_complete = len(chosen) == 2 and chosen["a"] != chosen["b"]
    url = f"{page_url(model_admin, 'compare', row_id)}?a={chosen['a']}&b={chosen['b']}" if is_complete else ""
    return {"older": address.pair.get("a"), "newer": address.pair.get("b"), "url": url}


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
