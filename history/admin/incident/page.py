"""Page: preview and make the repair of an incident."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from history.admin.incident.forms import ConfirmationForm, CriteriaForm
from history.admin.incident.preview import MAX_ROWS, Preview, preview, table
from history.admin.permissions import HistoryAdmin
from history.admin.urls import INCIDENT_URL
from history.admin.viewing import log_view
from history.exceptions import HistoryUnavailable, RestoreRefused
from history.export import iso
from history.incident.criteria import CRITERIA, command_line
from history.incident.repair import repair
from history.incident.results import Repair
from history.incident.search import UnfinishedSearch
from history.models import StudentModuleHistory
from kvstore.exceptions import UnusableContext
from kvstore.staff.text import escape_unprintable

JSON_LINES = "jsonl"


def incident_page(model_admin: HistoryAdmin, request: HttpRequest) -> HttpResponseBase:
    """Show the form of the criteria; with criteria, the preview; on POST, repair what the user has seen."""
    if not model_admin.has_incident_permission(request):
        raise PermissionDenied("has_incident_permission")
    given = request.POST if request.method == "POST" else request.GET
    criteria = CriteriaForm(given if any(name in given for name in CRITERIA) else None, label_suffix="")
    if not criteria.is_bound or not criteria.is_valid():
        return _page(model_admin, request, criteria, status=400 if criteria.is_bound else 200)
    try:
        found = preview(criteria.selection, keep_grades=criteria.cleaned_data["keep_grades"])
    except UnfinishedSearch:
        return _page(model_admin, request, criteria, commands=_commands(criteria), most_rows=MAX_ROWS)
    if not all(model_admin.has_incident_permission(request, row) for row in found.one_row_of_each_course()):
        criteria.add_error(None, _("The selection has entries of courses that you may not repair. Name your course."))
        return _page(model_admin, request, criteria, status=403)
    log_view(request)
    if request.method == "POST":
        return _confirmed(model_admin, request, criteria, found)
    if request.GET.get("format") == JSON_LINES:
        return _download(found)
    return _page(model_admin, request, criteria, found=found)


def _confirmed(
    model_admin: HistoryAdmin, request: HttpRequest, criteria: CriteriaForm, found: Preview
) -> HttpResponseBase:
    form, status = ConfirmationForm(request.POST, label_suffix=""), 400
    if form.is_valid() and form.cleaned_data["seen"] != found.digest:
        form.add_error(None, _("The rows changed after the preview. Nothing was written. This is the new preview."))
        status = 409
    if form.is_valid():
        try:
            return _repaired(model_admin, request, criteria, form.cleaned_data["reason"])
        except (RestoreRefused, UnusableContext) as error:
            form.add_error(None, str(error))
    return _page(model_admin, request, criteria, found=found, form=form, status=status)


def _repaired(model_admin: HistoryAdmin, request: HttpRequest, criteria: CriteriaForm, reason: str) -> HttpResponseBase:
    """Repair and redirect to the preview, which then has the result of each row."""
    progress = Repair()
    keep_grades = criteria.cleaned_data["keep_grades"]
    try:
        repair(criteria.selection, reason=reason, actor=request.user, keep_grades=keep_grades, progress=progress)
    except HistoryUnavailable:
        advice = _("Rows repaired: %(count)d. Repeat the repair: it completes the work and changes no row twice.")
        messages.warning(request, advice % {"count": progress.written})
        raise
    finally:
        if progress.written:
            _log(request, progress, criteria)
    done = _("Rows repaired: %(written)d, skipped: %(skipped)d. The id of the repair is %(id)s.")
    values = {"id": progress.repair_id, "written": progress.written, "skipped": progress.skipped}
    (messages.warning if progress.skipped else messages.success)(request, done % values)
    return HttpResponseRedirect(f"{_address(model_admin)}?{urlencode(criteria.texts)}")


def _page(
    model_admin: HistoryAdmin,
    request: HttpRequest,
    criteria: CriteriaForm,
    *,
    found: Preview | None = None,
    form: ConfirmationForm | None = None,
    status: int = 200,
    **context: Any,
) -> TemplateResponse:
    site = model_admin.admin_site
    request.current_app = site.name
    shared = {
        **site.each_context(request),
        "opts": model_admin.opts,
        "title": _("Repair an incident"),
        "subtitle": None,
        "criteria": criteria,
        "zone": timezone.get_current_timezone_name(),
        **({} if found is None else _preview_context(model_admin, criteria, found, form)),
    }
    return TemplateResponse(request, "admin/xblock_history/incident.html", shared | context, status=status)


def _preview_context(
    model_admin: HistoryAdmin, criteria: CriteriaForm, found: Preview, form: ConfirmationForm | None
) -> dict[str, Any]:
    address = _address(model_admin)
    return {
        "preview": found,
        "form": form or ConfirmationForm(label_suffix=""),
        "rows": table(model_admin, found.rows),
        "sample": table(model_admin, found.sums.sample),
        "hidden": criteria.texts.items(),
        "jsonl_url": f"{address}?{urlencode(criteria.texts | {'format': JSON_LINES})}",
        "earlier": [(name, len(rows), f"{address}?{urlencode(_undo(name, rows))}") for name, rows in found.earlier],
    }


def _undo(repair_id: str, rows: list[Any]) -> dict[str, str]:
    # The time limits the search to the entries since then.
    return {"request_id": repair_id, "since": iso(min(row.repaired_at for row in rows))}


def _commands(criteria: CriteriaForm) -> list[str]:
    """Return the command that previews the selection and the one that repairs it."""
    options = ["--keep-grades"] if criteria.cleaned_data["keep_grades"] else []
    return [
        escape_unprintable(command_line(criteria.texts, *options, last)) for last in ("--dry-run", "--reason=REASON")
    ]


def _address(model_admin: HistoryAdmin) -> str:
    return reverse(f"{model_admin.admin_site.name}:{INCIDENT_URL}")


def _download(found: Preview) -> HttpResponse:
    headers = {"Content-Disposition": 'attachment; filename="repair.jsonl"', "X-Content-Type-Options": "nosniff"}
    content_type = "application/x-ndjson; charset=utf-8"
    return HttpResponse(found.json_lines(), content_type=content_type, headers=headers)


def _log(request: HttpRequest, progress: Repair, criteria: CriteriaForm) -> None:
    message = _("Repaired %(count)d rows: %(criteria)s") % {
        "count": progress.written,
        "criteria": urlencode(criteria.texts),
    }
    LogEntry.objects.create(
        user_id=cast(int, request.user.pk),
        content_type=ContentType.objects.get_for_model(StudentModuleHistory),
        object_id="",
        object_repr=progress.repair_id,
        action_flag=CHANGE,
        change_message=message,
    )
