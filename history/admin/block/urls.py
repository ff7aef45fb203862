"""The addresses of the pages of a block."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django.http import HttpResponseBase
from django.urls import path
from django.views.decorators.http import require_http_methods, require_safe

from history.admin.block.comparison import comparison_page
from history.admin.block.restore import restore_page
from history.admin.block.timeline import moment_page, timeline_page
from history.admin.block.version import state_download, version_page
from history.admin.exports import export_evidence, export_timeline
from history.admin.permissions import HistoryAdmin
from history.admin.unavailable import or_unavailable

PAGES: dict[str, tuple[str, Callable[..., HttpResponseBase]]] = {
    "timeline": ("", timeline_page),
    "moment": ("at/", moment_page),
    "compare": ("compare/", comparison_page),
    "timeline_export": ("export/", export_timeline),
    "evidence": ("evidence/", export_evidence),
    "version": ("<int:version>/", version_page),
    "state": ("<int:version>/state/", state_download),
    "restore": ("<int:version>/restore/", restore_page),
}
# All other pages refuse POST.
WRITING = {"restore": require_http_methods(["GET", "HEAD", "POST"])}


def block_urls(model_admin: HistoryAdmin) -> list[Any]:
    """Return the URL patterns for an admin; admin_view() requires login and CSRF tokens."""
    urls = []
    for name, (route, page) in PAGES.items():
        view = WRITING.get(name, require_safe)(partial(or_unavailable(page), model_admin))
        view = model_admin.admin_site.admin_view(view)
        urls.append(path(f"timeline/<int:row_id>/{route}", view, name=f"xblock_history_{name}"))
    return urls
