"""The admins of entries. They read entries from the history database, and names and versions from `default`."""

from functools import partial
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from history.admin.block.urls import block_urls
from history.admin.changelists import EXPORT_URL, CommittedChangeList, EntryChangeList, ExportedChangeList
from history.admin.exports import export_list
from history.admin.filters import ActionFilter, CreatedFilter, FlagFilter, RecordedTypeFilter
from history.admin.incident.urls import incident_url
from history.admin.learner.urls import learner_urls
from history.admin.permissions import HistoryAdmin
from history.admin.unavailable import or_unavailable
from history.admin.urls import timeline_link
from history.admin.viewing import StatePage
from history.database.connection import read_history
from history.reading.committed import committed
from kvstore.admin.base import ReadOnlyAdmin
from kvstore.admin.details import labelled_column
from kvstore.admin.filters import CourseFilter, GradeFilter
from kvstore.admin.ordering import IndexOrder
from kvstore.admin.rendering import score_text
from kvstore.staff.dates import format_moment
from kvstore.staff.text import escape_unprintable
from kvstore.staff.users import display_name, names_for

# One learner's versions of a block have equal index columns; the id distinguishes them. It is unique in the partition
# of a row. Entries of two rows of a learner may be mixed.
BY_LEARNER = IndexOrder(("module_state_key",), ("-student_id",), tie_breakers=("-id",), force_index=False)

NEWEST_FIRST = ("-created", "-student_module_id")
# Versions of one row with equal times.
WITHIN = "version"


class EntryAdmin(HistoryAdmin, StatePage):
    """Entries, from either database."""

    list_display = ("labelled_version", "change", "learner_and_block", "scores", "changed_by", "when_and_timeline")
    change_list_template = "admin/xblock_history/studentmodulehistory/change_list.html"
    list_filter: ClassVar[Any] = (
        CourseFilter,
        RecordedTypeFilter,
        ActionFilter,
        GradeFilter,
        CreatedFilter,
    )
    search_id_column = "student_module_id"
    fields = (
        *("row_id", "version_number", "action_text", "when", "learner", "course", "block_type"),
        *("usage_key", "full_grade", "actor", "reason_text", "request", "readable_state"),
    )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return EntryChangeList

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        entry = super().get_object(request, object_id, from_field)
        return entry and _with_names(entry)

    @admin.display(description=gettext_lazy("time"))
    def when(self, entry: Any) -> str:
        return format_moment(entry.created)

    row_id = labelled_column("student_module_id", gettext_lazy("row"))
    action_text = labelled_column("get_action_display", gettext_lazy("action"))
    reason_text = labelled_column("reason", gettext_lazy("reason"))
    request = labelled_column("request_id", gettext_lazy("request id"))

    @admin.display(description=gettext_lazy("actor"), empty_value="-")
    def actor(self, entry: Any) -> str | None:
        return None if entry.actor_id is None else display_name(entry.actor_id, entry.names)

    @admin.display(description=gettext_lazy("change"))
    def change(self, entry: Any) -> SafeString:
        return render_to_string("admin/xblock_history/_listed_change.html", {"entry": entry, "change": entry.change})

    @admin.display(description=gettext_lazy("grade"))
    def scores(self, entry: Any) -> SafeString:
        """The score, after the one of the previous version if it differs."""
        context = {"score": score_text(entry), "before": entry.change.score_before}
        return render_to_string("admin/xblock_history/_listed_score.html", context)

    @admin.display(description=gettext_lazy("actor"))
    def changed_by(self, entry: Any) -> SafeString:
        context = {
            "actor": self.actor(entry),
            "reason": escape_unprintable(entry.reason),
            "request_id": escape_unprintable(entry.request_id),
        }
        return render_to_string("admin/xblock_history/_listed_actor.html", context)

    @admin.display(description=gettext_lazy("time"))
    def when_and_timeline(self, entry: Any) -> SafeString:
        return format_html('<span class="field-when">{}</span> {}', self.when(entry), self.timeline(entry))

    @admin.display(description=gettext_lazy("timeline"))
    def timeline(self, entry: Any) -> SafeString:
        learner = display_name(entry.student_id, entry.names)
        return timeline_link(self.admin_site, entry.student_module_id, self.block(entry), learner)


class StudentModuleHistoryAdmin(EntryAdmin):
    """The committed entries of the history database, and the pages of a block."""

    list_filter = (CourseFilter, RecordedTypeFilter, FlagFilter, ActionFilter, GradeFilter, CreatedFilter)
    index_orders = (
        IndexOrder(("student_module_id",), ("-version",)),
        # One learner's versions of one block are few enough to sort.
        IndexOrder(("module_state_key", "student_id"), NEWEST_FIRST, sort_within=WITHIN, force_index=False),
        IndexOrder(("student_id",), NEWEST_FIRST, sort_within=WITHIN),
        BY_LEARNER,
        IndexOrder(("course_id",), NEWEST_FIRST, sort_within=WITHIN),
        IndexOrder((), NEWEST_FIRST, sort_within=WITHIN),
    )

    changelist_view = or_unavailable(EntryAdmin.changelist_view)
    changeform_view = or_unavailable(EntryAdmin.changeform_view)

    def get_urls(self) -> list[Any]:
        view = require_safe(partial(or_unavailable(export_list), self))
        export = path("export/", self.admin_site.admin_view(view), name=EXPORT_URL)
        return [export, incident_url(self), *block_urls(self), *learner_urls(self), *super().get_urls()]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        match = request.resolver_match
        return ExportedChangeList if match and match.url_name == EXPORT_URL else CommittedChangeList

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        # Only the entry is read under the history's timeout; names are in another database.
        entry = read_history(lambda: ReadOnlyAdmin.get_object(self, request, object_id, from_field))
        return _with_names(entry) if entry is not None and committed([entry]) else None


class PendingHistoryAdmin(EntryAdmin):
    """Entries pending delivery; all are committed, because they were written together with the state."""

    index_orders = (
        IndexOrder(("student_module_id",), ("-version",)),
        BY_LEARNER,
        IndexOrder((), ("-id",)),
    )


def _with_names(entry: Any) -> Any:
    entry.names = names_for({entry.student_id, entry.actor_id} - {None})
    return entry
