"""Page: one version with its changes and its complete state."""

from __future__ import annotations

from datetime import UTC
from itertools import islice
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.utils.translation import gettext as _

from history.admin.block.pages import (
    DIGEST,
    EXPORT,
    block_page,
    entry_url,
    get_owner_or_404,
    log_view_of,
    names_on,
    page_url,
)
from history.admin.block.version_summary import summarize_version
from history.admin.permissions import HistoryAdmin
from history.export import sha256_of
from history.reading.outline import find_entry
from history.reading.ownership import RowOwner
from history.reading.timeline import Prepare, TimelinePart, timeline_of
from kvstore.admin.rendering import render_json, render_raw
from kvstore.staff.dates import format_moment

LOADED_BYTES = 4_000_000
"""a larger state can only be downloaded"""


def with_full_state(entries: Any) -> Any:
    """Load complete states up to LOADED_BYTES."""
    return entries.with_state_up_to(LOADED_BYTES)


def version_page(model_admin: HistoryAdmin, request: HttpRequest, row_id: int, version: int) -> HttpResponseBase:
    owner = get_owner_or_404(model_admin, request, row_id)
    digest = request.GET.get("digest", "")
    newer, entry, older = _neighbours(owner, row_id, version, digest)
    names = names_on(owner, [entry])
    state = entry.small_state
    may_export = model_admin.has_export_permission(request, owner)
    return block_page(
        model_admin,
        request,
        owner,
        row_id,
        "version",
        title=_("Version %(version)s") % {"version": version},
        names=names,
        step=summarize_version(model_admin, entry, older, names),
        newer_url=entry_url(model_admin, "version", newer) if newer else "",
        older_url=entry_url(model_admin, "version", older) if older else "",
        source_url=_source_url(model_admin, entry),
        indented=None if state is None else render_json(state),
        stored=None if state is None or not may_export else render_raw(state),
        state_sha256=None if state is None else sha256_of(state),
        utc=format_moment(entry.created, UTC, exact=True),
        download_url=entry_url(model_admin, "state", entry),
    )


def state_download(model_admin: HistoryAdmin, request: HttpRequest, row_id: int, version: int) -> HttpResponseBase:
    owner = get_owner_or_404(model_admin, request, row_id, EXPORT)
    state = version_of(owner, row_id, version, request.GET.get("digest", "")).state
    if state is None:
        raise Http404(_("Version %(version)s has no state.") % {"version": version})
    log_view_of(request, owner, row_id)
    name = f"learner-{owner.student_id}-row-{row_id}-version-{version}.json"
    return HttpResponse(
        state.encode("utf-8", "surrogatepass"),
        # Prevents a browser from rendering the state.
        content_type="application/octet-stream",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"},
    )


def version_of(
    owner: RowOwner, row_id: int, version: int, digest: str = "", prepare: Prepare = lambda entries: entries
) -> Any:
    """Return a version of the owner's timeline. Raises Http404 or HistoryUnavailable."""
    entry = find_entry(owner, row_id, version, digest, prepare) if DIGEST.fullmatch(digest) else None
    if entry is None:
        raise _not_found(row_id, version)
    return entry


def _not_found(row_id: int, version: int) -> Http404:
    return Http404(_("Row %(id)s has no version %(version)s.") % {"version": version, "id": row_id})


def _neighbours(owner: RowOwner, row_id: int, version: int, digest: str) -> tuple[Any, Any, Any]:
    """Return the next version, this one and the previous one. Raises Http404.

    An entry of a branch, which needs ``digest``, has no neighbours: those in the timeline belong to the current state.
    """
    if digest:
        return None, version_of(owner, row_id, version, digest, with_full_state), None
    part = TimelinePart(older_than=(row_id, version + 2))
    found = timeline_of(owner.student_id, owner.address, part, prepare=with_full_state, page_size=3)
    near = [None, *islice((entry for entry in found if not entry.is_branch), 3), None]
    for newer, entry, older in zip(near, near[1:], near[2:], strict=False):
        if entry is not None and (entry.student_module_id, entry.version) == (row_id, version):
            return newer, entry, older
    raise _not_found(row_id, version)


def _source_url(model_admin: HistoryAdmin, entry: Any) -> str:
    return page_url(model_admin, "version", entry.source_id, entry.source_version) if entry.source_id else ""
