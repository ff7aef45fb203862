"""The admin of StudentModule with the history of each row."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from history.admin.block.pages import PresentRow, names_on, page_url, present_row
from history.admin.block.steps import read_steps
from history.admin.block.version_summary import summarize_step
from history.admin.entries import StudentModuleHistoryAdmin
from history.admin.urls import timeline_link
from history.admin.viewing import StatePage
from history.exceptions import HistoryUnavailable
from history.models import StudentModuleHistory
from history.reading.completeness import completeness
from history.reading.outline import recent_versions
from history.reading.ownership import RowOwner, find_owner
from history.recording.health import backlog
from kvstore.admin import StudentModuleAdmin
from kvstore.models import StudentModule
from kvstore.staff.users import display_name, id_from_text

SHOWN_STEPS = 10


class RecordedStudentModuleAdmin(StatePage, StudentModuleAdmin):
    """The current state of each learner's blocks, its newest versions and the completeness of its history."""

    change_form_template = "admin/xblock_history/state.html"

    def has_export_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        entries_admin = self._entries_admin()
        if entries_admin is None:
            return super().has_export_permission(request, obj)
        return entries_admin.has_export_permission(request, obj)

    def get_list_display(self, request: HttpRequest) -> Any:
        """Add the link to the timeline, if the site has timelines that the user may view."""
        columns = super().get_list_display(request)
        entries_admin = self._entries_admin()
        return (*columns, "timeline") if entries_admin and entries_admin.has_view_permission(request) else columns

    @admin.display(description=gettext_lazy("timeline"))
    def timeline(self, row: Any) -> SafeString:
        return timeline_link(self.admin_site, row.pk, self.block(row), display_name(row.student_id, row.names))

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        return super().page_context(request, row) | self.history_of(request, row)

    def history_of(self, request: HttpRequest, row: StudentModule) -> dict[str, Any]:
        """Return the context of the row's history; during an outage, the error and the number of pending entries."""
        entries_admin = self._entries_admin()
        owner = find_owner(row.pk)
        if entries_admin is None or owner is None or not entries_admin.has_view_permission(request, owner):
            return {}
        timeline_url = page_url(entries_admin, "timeline", row.pk)
        try:
            return {"timeline_url": timeline_url, **_versions(entries_admin, request, owner, row.pk)}
        except HistoryUnavailable as error:
            return {"timeline_url": timeline_url, "unavailable": error, "backlog": backlog()}

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Redirect to the timeline; show Django's own log if the site has no timeline that the user may view."""
        entries_admin = self._entries_admin()
        if entries_admin is None or not object_id.isdecimal() or not entries_admin.has_view_permission(request):
            response: HttpResponse = super().history_view(request, object_id, extra_context)
            return response
        return HttpResponseRedirect(page_url(entries_admin, "timeline", int(object_id)))

    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> HttpResponse:
        """Redirect from a deleted row to the present row of its block, or to its timeline if there is none."""
        address = self._successor_url(request, object_id)
        if not address:
            # The type checker's stubs lack this method.
            response: HttpResponse = super()._get_obj_does_not_exist_redirect(  # type: ignore[misc]
                request, opts, object_id
            )
            return response
        messages.info(request, _("Row %(row)s was deleted.") % {"row": object_id})
        return HttpResponseRedirect(address)

    def _successor_url(self, request: HttpRequest, object_id: str) -> str:
        """Return an empty string unless the history proves the deletion and the user may view it."""
        entries_admin, row_id = self._entries_admin(), id_from_text(object_id)
        if entries_admin is None or row_id is None:
            return ""
        try:
            owner = find_owner(row_id)
        except HistoryUnavailable:
            return ""
        if owner is None or owner.version or not entries_admin.has_view_permission(request, owner):
            return ""
        present = present_row(owner, row_id)
        if present is None:
            return page_url(entries_admin, "timeline", row_id)
        return reverse(f"{self.admin_site.name}:xblock_kvstore_studentmodule_change", args=[present.row_id])

    def _entries_admin(self) -> StudentModuleHistoryAdmin | None:
        """Return the site's admin of entries; None if it does not have the pages of a block."""
        model_admin = self.admin_site._registry.get(StudentModuleHistory)
        return model_admin if isinstance(model_admin, StudentModuleHistoryAdmin) else None


def _versions(
    entries_admin: StudentModuleHistoryAdmin, request: HttpRequest, owner: RowOwner, row_id: int
) -> dict[str, Any]:
    steps = read_steps(owner, count=SHOWN_STEPS).steps
    names = names_on(owner, [entry for step in steps for entry in step.versions])
    return {
        "steps": [summarize_step(entries_admin, step.versions, step.older, names) for step in steps],
        "completeness": completeness(owner, row_id, recent_versions(owner)),
        # Of the present row, for the links that restore a version.
        "present": PresentRow(row_id, owner.version),
        "may_restore": entries_admin.has_restore_permission(request, owner),
    }
