"""The history in Django's admin, read across two databases: entries from one, names and versions from the other."""

from functools import partial
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from history.admin.block.urls import BlockPages
from history.admin.changelists import EXPORT_URL, CommittedChangeList, EntryChangeList
from history.admin.filters import ActionFilter, CreatedFilter, RecordedTypeFilter
from history.admin.list_export import ExportedChangeList, export_list, is_export
from history.admin.unavailable import or_unavailable
from history.admin.urls import timeline_url
from history.database.connection import read_history
from history.reading.committed import committed
from kvstore.admin.base import ReadOnlyAdmin
from kvstore.admin.filters import CourseFilter, GradeFilter
from kvstore.admin.ordering import IndexOrder
from kvstore.staff.users import display_name, usernames_for

# One learner's versions of a block share their place in the index, and are told apart by id. That is theirs alone in
# the part of the table that the row's entries are in; a learner who has two rows of a block has them in turn.
BY_LEARNER = IndexOrder(("module_state_key",), ("-student_id",), tie_breakers=("-id",), force_index=False)

NEWEST_FIRST = ("-created", "-student_module_id")
# Versions of one row and one instant, if ever there are two.
WITHIN = "version"


class EntryAdmin(ReadOnlyAdmin):
    """Versions that learners' blocks had."""

    list_display = (
        *("when", "learner", "course", "module_type", "block", "version", "action", "score"),
        *("actor", "reason", "request_id", "timeline"),
    )
    list_filter = (CourseFilter, RecordedTypeFilter, ActionFilter, GradeFilter, CreatedFilter)
    search_id_column = "student_module_id"
    fields = (
        *("student_module_id", "version", "action", "created", "learner", "course_id", "module_type"),
        *("module_state_key", "grade", "max_grade", "actor", "reason", "request_id", "readable_state"),
    )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return EntryChangeList

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        entry = super().get_object(request, object_id, from_field)
        if entry is not None:
            entry.usernames = usernames_for({entry.student_id, entry.actor_id} - {None})
        return entry

    @admin.display(description=gettext_lazy("when"))
    def when(self, entry: Any) -> str:
        moment = timezone.localtime(entry.created) if timezone.is_aware(entry.created) else entry.created
        return date_format(moment, "Y-m-d H:i:s")

    @admin.display(description=gettext_lazy("changed by"), empty_value="-")
    def actor(self, entry: Any) -> str | None:
        return None if entry.actor_id is None else display_name(entry.actor_id, entry.usernames)

    @admin.display(description=gettext_lazy("timeline"))
    def timeline(self, entry: Any) -> str:
        address = timeline_url(self.admin_site, entry.student_module_id)
        label = _("Timeline of %(block)s for %(learner)s") % {
            "block": self.block(entry),
            "learner": self.learner(entry),
        }
        return format_html('<a href="{}" aria-label="{}">{}</a>', address, label, _("Timeline"))


class StudentModuleHistoryAdmin(BlockPages, EntryAdmin):
    """Every version in the history database that was committed."""

    index_orders = (
        IndexOrder(("student_module_id",), ("-version",)),
        # Few enough to be sorted: one learner's versions of one block.
        IndexOrder(("module_state_key", "student_id"), NEWEST_FIRST, sort_within=WITHIN, force_index=False),
        IndexOrder(("student_id",), NEWEST_FIRST, sort_within=WITHIN),
        BY_LEARNER,
        IndexOrder(("course_id",), NEWEST_FIRST, sort_within=WITHIN),
        IndexOrder((), NEWEST_FIRST, sort_within=WITHIN),
    )

    @or_unavailable
    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        response: HttpResponse = super().changelist_view(request, extra_context)
        return response

    @or_unavailable
    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response: HttpResponse = super().changeform_view(request, *args, **kwargs)
        return response

    def get_urls(self) -> list[Any]:
        view = require_safe(partial(or_unavailable(export_list), self))
        return [path("export/", self.admin_site.admin_view(view), name=EXPORT_URL), *super().get_urls()]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return ExportedChangeList if is_export(request) else CommittedChangeList

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        # The entry alone is read in the history's time; names are another database's.
        entry = read_history(lambda: ReadOnlyAdmin.get_object(self, request, object_id, from_field))
        if entry is None or not committed([entry]):
            return None
        entry.usernames = usernames_for({entry.student_id, entry.actor_id} - {None})
        return entry


class PendingHistoryAdmin(EntryAdmin):
    """Versions that wait for the history database; each is one, as it was written with its state."""

    index_orders = (
        IndexOrder(("student_module_id",), ("-version",)),
        BY_LEARNER,
        IndexOrder((), ("-id",)),
    )
