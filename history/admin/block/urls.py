"""The pages of a block as part of an admin: their addresses, and who may look, export and act."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast

from django.contrib.admin import ModelAdmin
from django.http import HttpRequest, HttpResponseBase
from django.urls import path
from django.views.decorators.http import require_http_methods, require_safe

from history.admin.block.comparison import comparison_page
from history.admin.block.export import export_timeline
from history.admin.block.pages import BlockPagesAdmin
from history.admin.block.restore import restoration_page
from history.admin.block.timeline import moment_page, timeline_page
from history.admin.block.version import state_download, version_page
from history.admin.unavailable import or_unavailable
from history.models import StudentModuleHistory

View = Callable[..., HttpResponseBase]

# Looking at a page never writes, and only one page acts.
ACTING = {"restore": require_http_methods(["GET", "HEAD", "POST"])}


class BlockPages:
    """Gives the admin of the entries the pages of a block.

    To let staff see, restore or export some courses only, override the three ``has_..._permission`` methods: ``obj`` is
    None where the question is general, and otherwise has a ``course_id``.
    """

    def get_urls(self) -> list[Any]:
        # The type checker does not know what this is mixed into: a ModelAdmin.
        return [*block_urls(cast(Any, self)), *super().get_urls()]  # type: ignore[misc]

    def has_restore_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether a version may be put back: it takes a permission of its own, and those to view and change."""
        admin = cast(Any, self)
        may_write = request.user.has_perms(
            ["xblock_kvstore.change_studentmodule", "xblock_history.restore_studentmodule"]
        )
        return bool(may_write and admin.has_view_permission(request, obj))

    def has_export_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether entries may be exported: it takes a permission of its own, and that to view."""
        admin = cast(Any, self)
        may_export = request.user.has_perm("xblock_history.export_studentmodulehistory")
        return bool(may_export and admin.has_view_permission(request, obj))


def block_urls(model_admin: ModelAdmin[Any]) -> list[Any]:
    """Return the addresses of the pages of a block."""
    # admin_view protects from forged forms, and asks who is no staff to log in.
    pages: list[tuple[str, View, str]] = [
        ("", timeline_page, "timeline"),
        ("at/", moment_page, "moment"),
        ("compare/", comparison_page, "compare"),
        ("export/", export_timeline, "timeline_export"),
        ("<int:version>/", version_page, "version"),
        ("<int:version>/state/", state_download, "state"),
        ("<int:version>/restore/", restoration_page, "restore"),
    ]
    return [
        path(
            f"timeline/<int:row_id>/{route}",
            model_admin.admin_site.admin_view(
                ACTING.get(name, require_safe)(partial(or_unavailable(view), model_admin))
            ),
            name=f"xblock_history_{name}",
        )
        for route, view, name in pages
    ]


def registered(site: Any) -> BlockPagesAdmin | None:
    """Return the admin of the entries in a site, None where it has none that shows these pages."""
    model_admin = site._registry.get(StudentModuleHistory)
    return cast(BlockPagesAdmin, model_admin) if isinstance(model_admin, BlockPages) else None
