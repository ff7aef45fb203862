"""A filtered list to take away: every entry of it, in its order, with its state."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils import timezone
from django.utils.translation import gettext as _

from history.admin.audit_log import note_about
from history.admin.changelists import EXPORT_URL, FORMAT, CommittedChangeList
from history.admin.exports import FORMATS, download, suffix_asked_for
from history.admin.urls import list_url
from history.models import StudentModuleHistory
from history.reading.committed import committed
from kvstore.admin.ordering import Cursor

PAGE_SIZE = 100
"""entries in one query: with their states, which may be large"""


class ExportedChangeList(CommittedChangeList):
    """The whole of a list instead of a page of it, from its beginning, with states and without names."""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        self.list_per_page = PAGE_SIZE
        self.root_queryset = self.root_queryset.defer(None)
        self.params.pop(FORMAT, None)
        self.filter_params.pop(FORMAT, None)
        return super().get_queryset(request, exclude_parameters)

    def get_results(self, request: HttpRequest) -> None:
        """Read nothing yet."""
        self.result_list = []

    @property
    def is_narrow(self) -> bool:
        """Whether an index narrows the list: otherwise all of the history would be read to find what is exported."""
        return bool(self.index_order.served(self.lookups))

    def entries(self) -> Iterator[StudentModuleHistory]:
        """Yield the entries that were committed, a page to a query. Raises HistoryUnavailable."""
        place: Cursor | None = None
        while True:
            page = self.page_at(place)
            yield from committed(page.rows)
            if page.further is None:
                return
            place = page.further


def is_export(request: HttpRequest) -> bool:
    """Return whether a list is asked for to be exported."""
    return bool(request.resolver_match and request.resolver_match.url_name == EXPORT_URL)


def export_list(model_admin: Any, request: HttpRequest) -> HttpResponseBase:
    """Send a filtered list as JSON Lines, or as CSV with ``?format=csv``; lead back to one that no index narrows.

    Entries that the user may not export are left out, where the admin decides by entry.
    """
    if not model_admin.has_export_permission(request):
        raise PermissionDenied
    try:
        changelist: ExportedChangeList = model_admin.get_changelist_instance(request)
    except IncorrectLookupParameters:
        return HttpResponseRedirect(list_url(model_admin.admin_site, "studentmodulehistory", e=1))
    query = urlencode(changelist.filter_params, doseq=True)
    back = list_url(model_admin.admin_site, "studentmodulehistory") + (f"?{query}" if query else "")
    if changelist.problems:
        # The list says what they are.
        return HttpResponseRedirect(back)
    if not changelist.is_narrow:
        asked = _("Search for a learner, a course, a block or an id, or filter by time, before you export.")
        model_admin.message_user(request, asked, messages.WARNING)
        return HttpResponseRedirect(back)
    suffix = suffix_asked_for(request.GET.get(FORMAT, ""))
    said = _("Exported entries as %(format)s: %(filter)s") % {"format": FORMATS[suffix].label, "filter": query}
    note_about(request, StudentModuleHistory, None, _("a list of history entries"), said)
    allowed = (entry for entry in changelist.entries() if model_admin.has_export_permission(request, entry))
    return download(allowed, f"history-{timezone.now():%Y%m%dT%H%M%SZ}", suffix)
