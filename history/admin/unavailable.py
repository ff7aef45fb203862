"""The page that replaces a page of the history while the history database cannot be read."""

import functools
import logging
from collections.abc import Callable
from typing import Any, TypeVar

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from history.exceptions import HistoryUnavailable

logger = logging.getLogger(__name__)

Response = TypeVar("Response", bound=HttpResponseBase)

WORKING = ("xblock_kvstore_studentmodule_changelist", "xblock_history_pendinghistory_changelist")
"""lists that do not read the history database"""


def or_unavailable(view: Callable[..., Response]) -> Callable[..., Response | HttpResponse]:
    """Decorate a view of a ModelAdmin to answer HistoryUnavailable with a page of status 503.

        class StudentModuleHistoryAdmin(EntryAdmin):
            changelist_view = or_unavailable(EntryAdmin.changelist_view)

    Failures of other databases stay errors: read entries with :func:`history.database.connection.read_history` or
    :func:`history.reading.timeline.timeline`. Read them before the view returns: the decorator does not cover the
    rendering of a TemplateResponse.
    """

    @functools.wraps(view)
    def wrapper(model_admin: Any, request: HttpRequest, *args: Any, **kwargs: Any) -> Response | HttpResponse:
        try:
            return view(model_admin, request, *args, **kwargs)
        except HistoryUnavailable as error:
            logger.warning("%s The admin answered %s with status 503.", error, request.path)
            return unavailable(model_admin, request)

    return wrapper


def unavailable(model_admin: Any, request: HttpRequest) -> TemplateResponse:
    """Return the page, with links to the lists that still work."""
    site, opts = model_admin.admin_site, model_admin.opts
    request.current_app = site.name
    context = {
        **site.each_context(request),
        "title": _("The history cannot be read now"),
        "opts": opts,
        "working": _links(site, request),
    }
    templates = [f"admin/xblock_history/{opts.model_name}/unavailable.html", "admin/xblock_history/unavailable.html"]
    return TemplateResponse(request, templates, context, status=503)


def _links(site: Any, request: HttpRequest) -> list[tuple[str, str]]:
    """Return the names and addresses of the working lists that the user may view."""
    links = []
    for model, model_admin in site._registry.items():
        name = f"{model._meta.app_label}_{model._meta.model_name}_changelist"
        if name in WORKING and model_admin.has_view_permission(request):
            links.append((str(model._meta.verbose_name_plural), reverse(f"{site.name}:{name}")))
    return links
