"""The pages about one block of one learner: their addresses, who may open them, and what they have in common."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, cast

from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from history.admin.outage import or_unavailable
from history.models import StudentModuleHistory
from history.owners import Owner, owner_of
from kvstore.admin.names import name_of, usernames
from kvstore.models import StudentModule

VIEW = "has_view_permission"
RESTORE = "has_restore_permission"
EXPORT = "has_export_permission"

VERSION_KEY = re.compile(r"(?:(\d{1,18})\.)?(\d{1,18})", re.ASCII)


class BlockPagesAdmin(Protocol):
    """What a page asks of the admin that it is opened in."""

    admin_site: Any
    opts: Any

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool: ...
    def has_restore_permission(self, request: HttpRequest, obj: Any = None) -> bool: ...
    def has_export_permission(self, request: HttpRequest, obj: Any = None) -> bool: ...


View = Callable[..., HttpResponseBase]

# Looking at a page never writes, and only one page acts.
ACTING = {"restore": require_http_methods(["GET", "HEAD", "POST"])}


class BlockPages:
    """Gives the admin of the entries the pages of a block.

    To let staff see, restore or export some courses only, override the three ``has_..._permission`` methods: ``obj`` is
    None where the question is general, and otherwise has a ``course_id``.
    """

    def get_urls(self) -> list[Any]:
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
    from history.admin.comparison import comparison_page
    from history.admin.restoration import restoration_page
    from history.admin.timeline import moment_page, timeline_page
    from history.admin.timeline_export import export_timeline
    from history.admin.version import state_download, version_page

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


def page_url(model_admin: BlockPagesAdmin, name: str, *args: int) -> str:
    """Return the address of a page of a block, in the same admin site."""
    return reverse(f"{model_admin.admin_site.name}:xblock_history_{name}", args=args)


def owner_for(model_admin: BlockPagesAdmin, request: HttpRequest, row_id: int, permission: str = VIEW) -> Owner:
    """Return whose row it is. Raises PermissionDenied, Http404 or HistoryUnavailable."""
    # Asked first in general, so that who may see nothing cannot find out what there is.
    if not getattr(model_admin, permission)(request):
        raise PermissionDenied
    owner = owner_of(row_id) if row_id < 2**63 else None
    if owner is None:
        raise Http404(_("There is and was no row %(id)s of learners' state.") % {"id": row_id})
    if not getattr(model_admin, permission)(request, owner):
        raise PermissionDenied
    return owner


def version_key(text: str, row_id: int) -> tuple[int, int] | None:
    """Return the row and version that ``text`` says, as "version" or "row.version"; None if it says neither."""
    match = VERSION_KEY.fullmatch(text)
    return (int(match[1] or row_id), int(match[2])) if match else None


def block_page(
    model_admin: BlockPagesAdmin,
    request: HttpRequest,
    owner: Owner,
    row_id: int,
    template: str,
    *,
    title: str,
    names: dict[int, str],
    status: int = 200,
    **context: Any,
) -> TemplateResponse:
    """Return a page of a block."""
    site = model_admin.admin_site
    request.current_app = site.name
    shared = {
        **site.each_context(request),
        "opts": model_admin.opts,
        "title": title,
        "subtitle": None,
        "owner": owner,
        "learner": name_of(owner.student_id, names),
        "row_id": row_id,
        "row_url": _row_url(site, row_id) if owner.version else "",
        "timeline_url": page_url(model_admin, "timeline", row_id),
        "may_restore": model_admin.has_restore_permission(request, owner),
        "may_export": model_admin.has_export_permission(request, owner),
    }
    return TemplateResponse(request, f"admin/xblock_history/{template}.html", shared | context, status=status)


def names_on(owner: Owner, entries: list[Any]) -> dict[int, str]:
    """Return the names of the learner and of those who made the entries, in one query."""
    return usernames({owner.student_id, *(entry.actor_id for entry in entries if entry.actor_id is not None)})


def registered(site: Any) -> BlockPagesAdmin | None:
    """Return the admin of the entries in a site, None where it has none that shows these pages."""
    model_admin = site._registry.get(StudentModuleHistory)
    return cast(BlockPagesAdmin, model_admin) if isinstance(model_admin, BlockPages) else None


def _row_url(site: Any, row_id: int) -> str:
    try:
        return reverse(
            f"{site.name}:{StudentModule._meta.app_label}_{StudentModule._meta.model_name}_change", args=[row_id]
        )
    except NoReverseMatch:
        return ""
