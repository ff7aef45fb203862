"""Download entries as JSON Lines or CSV, or a timeline as evidence; each export is noted in the admin's log."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from tempfile import SpooledTemporaryFile
from typing import Any, NamedTuple, cast
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, HttpRequest, HttpResponseBase, HttpResponseRedirect, StreamingHttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from history.admin.block.pages import EXPORT, get_owner_or_404, log_view_of
from history.admin.permissions import HistoryAdmin
from history.admin.urls import list_url
from history.admin.viewing import log_view
from history.evidence.archive import IN_MEMORY, write_evidence
from history.export import csv_lines, json_lines
from history.models import StudentModuleHistory
from history.reading.timeline import timeline_of

FORMAT = "format"
"""the parameter that names a format"""
PAGE_SIZE = 100
"""entries in one query; their states may be large"""


class Format(NamedTuple):
    """A file format."""

    label: str
    content_type: str
    lines: Callable[[Iterable[Any]], Iterator[str]]


FORMATS = {
    "jsonl": Format("JSON Lines", "application/x-ndjson; charset=utf-8", json_lines),
    "csv": Format("CSV", "text/csv; charset=utf-8", csv_lines),
}


def export_timeline(model_admin: HistoryAdmin, request: HttpRequest, row_id: int) -> HttpResponseBase:
    owner = get_owner_or_404(model_admin, request, row_id, EXPORT)
    suffix, label = _format(request)
    message = _("Exported the timeline as %(format)s.") % {"format": label}
    _log(request, str(row_id), f"learner {owner.student_id}, {owner.address.usage_key}", message)
    log_view_of(request, owner, row_id)
    entries = timeline_of(owner.student_id, owner.address, page_size=PAGE_SIZE)
    return _download(entries, f"learner-{owner.student_id}-row-{row_id}", suffix)


def export_evidence(model_admin: HistoryAdmin, request: HttpRequest, row_id: int) -> HttpResponseBase:
    """Send the history of a block for a learner as a ZIP file; the log contains the SHA-256 of its manifest."""
    owner = get_owner_or_404(model_admin, request, row_id, EXPORT)
    # Written completely before the response begins, so that an outage gives the page for it and no part of a file.
    file = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115  the response closes it
    try:
        manifest = write_evidence(owner.student_id, owner.address, file, exported_by=request.user)
    except BaseException:
        file.close()
        raise
    message = _("Exported the evidence; its manifest has the SHA-256 %(sha256)s.") % {"sha256": manifest["sha256"]}
    _log(request, str(row_id), f"learner {owner.student_id}, {owner.address.usage_key}", message)
    log_view_of(request, owner, row_id)
    file.seek(0)
    name = f"evidence-learner-{owner.student_id}-row-{row_id}.zip"
    headers = {"X-Content-Type-Options": "nosniff"}
    # The response closes the file.
    return FileResponse(file, as_attachment=True, filename=name, content_type="application/zip", headers=headers)


def export_list(model_admin: HistoryAdmin, request: HttpRequest) -> HttpResponseBase:
    """Send the entries of a filtered list that the user may export; redirect to the list if no index narrows it."""
    if not model_admin.has_export_permission(request):
        raise PermissionDenied(EXPORT)
    try:
        changelist: Any = model_admin.get_changelist_instance(request)
    except IncorrectLookupParameters:
        return HttpResponseRedirect(list_url(model_admin.admin_site, "studentmodulehistory", e=1))
    query = urlencode(changelist.filter_params, doseq=True)
    if changelist.problems or not changelist.is_narrow:
        # The list shows the problems.
        if not changelist.problems:
            advice = _("Search for a learner, a course, a block or an id, or filter by time, before you export.")
            model_admin.message_user(request, advice, messages.WARNING)
        address = list_url(model_admin.admin_site, "studentmodulehistory")
        return HttpResponseRedirect(f"{address}?{query}" if query else address)
    suffix, label = _format(request)
    message = _("Exported entries as %(format)s: %(filter)s") % {"format": label, "filter": query}
    _log(request, "", _("a list of history entries"), message)
    log_view(request)
    allowed = (entry for entry in changelist.entries() if model_admin.has_export_permission(request, entry))
    return _download(allowed, f"history-{timezone.now():%Y%m%dT%H%M%SZ}", suffix)


def _format(request: HttpRequest) -> tuple[str, str]:
    """Return the suffix and the label of the requested format; JSON Lines if it is unknown."""
    suffix = request.GET.get(FORMAT, "")
    suffix = suffix if suffix in FORMATS else "jsonl"
    return suffix, FORMATS[suffix].label


def _log(request: HttpRequest, object_id: str, description: str, message: str) -> None:
    # Not ModelAdmin.log_change(), which takes an object: a list is not one, and a row may be deleted.
    LogEntry.objects.create(
        user_id=cast(int, request.user.pk),
        content_type=ContentType.objects.get_for_model(StudentModuleHistory),
        object_id=object_id,
        object_repr=description[:200],
        action_flag=CHANGE,
        change_message=message,
    )


def _download(entries: Iterable[Any], name: str, suffix: str) -> StreamingHttpResponse:
    """Stream entries as a file. Raises the error of reading the first entry."""
    entries = iter(entries)
    # Read before the response begins, so that an outage gives the page for it and not a file with a header alone.
    first = list(islice(entries, 1))
    return StreamingHttpResponse(
        FORMATS[suffix].lines(chain(first, entries)),
        content_type=FORMATS[suffix].content_type,
        headers={
            "Content-Disposition": f'attachment; filename="{name}.{suffix}"',
            # Prevents a browser from rendering the content.
            "X-Content-Type-Options": "nosniff",
        },
    )
