"""What the pages about one block of one learner have in common: whose block it is, who may ask, and the frame."""

from __future__ import annotations

import re
from typing import Any, NamedTuple, Protocol

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _

from history.reading.ownership import RowOwner, find_owner
from kvstore.models import StudentModule
from kvstore.staff.users import display_name, usernames_for

VIEW = "has_view_permission"
RESTORE = "has_restore_permission"
EXPORT = "has_export_permission"

VERSION_KEY = re.compile(r"(?:(\d{1,18})\.)?(\d{1,18})(?:\.([0-9a-f]{8,66}))?", re.ASCII)
DIGEST = re.compile(r"[0-9a-f]{8,66}|", re.ASCII)

NAMED_DIGEST = 16
"""digits of a digest that tell an entry of a branch from another one of the same version"""


class VersionKey(NamedTuple):
    """An entry as addresses name it; the beginning of its digest only where its row and version do not suffice."""

    row_id: int
    version: int
    digest: str = ""


class BlockPagesAdmin(Protocol):
    """What a page asks of the admin that it is opened in."""

    admin_site: Any
    opts: Any

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool: ...
    def has_restore_permission(self, request: HttpRequest, obj: Any = None) -> bool: ...
    def has_export_permission(self, request: HttpRequest, obj: Any = None) -> bool: ...


def page_url(model_admin: BlockPagesAdmin, name: str, *args: int) -> str:
    """Return the address of a page of a block, in the same admin site."""
    return reverse(f"{model_admin.admin_site.name}:xblock_history_{name}", args=args)


def get_owner_or_404(
    model_admin: BlockPagesAdmin, request: HttpRequest, row_id: int, permission: str = VIEW
) -> RowOwner:
    """Return whose row it is. Raises PermissionDenied, Http404 or HistoryUnavailable."""
    # Asked first in general, so that who may see nothing cannot find out what there is.
    if not getattr(model_admin, permission)(request):
        raise PermissionDenied
    owner = find_owner(row_id) if row_id < 2**63 else None
    if owner is None:
        raise Http404(_("There is and was no row %(id)s of learners' state.") % {"id": row_id})
    if not getattr(model_admin, permission)(request, owner):
        raise PermissionDenied
    return owner


def entry_url(model_admin: BlockPagesAdmin, name: str, entry: Any) -> str:
    """Return the address of a page of one version."""
    address = page_url(model_admin, name, entry.student_module_id, entry.version)
    return f"{address}?digest={entry.digest.hex()[:NAMED_DIGEST]}" if entry.is_branch else address


def key_of(entry: Any) -> str:
    """Return an entry as :func:`version_key` reads it."""
    digest = f".{entry.digest.hex()[:NAMED_DIGEST]}" if entry.is_branch else ""
    return f"{entry.student_module_id}.{entry.version}{digest}"


def version_key(text: str, row_id: int) -> VersionKey | None:
    """Return the entry that ``text`` names, as "version", "row.version" or "row.version.digest"; None otherwise."""
    match = VERSION_KEY.fullmatch(text)
    return VersionKey(int(match[1] or row_id), int(match[2]), match[3] or "") if match else None


def block_page(
    model_admin: BlockPagesAdmin,
    request: HttpRequest,
    owner: RowOwner,
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
        "learner": display_name(owner.student_id, names),
        "row_id": row_id,
        "row_url": _row_url(site, row_id) if owner.version else "",
        "timeline_url": page_url(model_admin, "timeline", row_id),
        "may_restore": model_admin.has_restore_permission(request, owner),
        "may_export": model_admin.has_export_permission(request, owner),
    }
    return TemplateResponse(request, f"admin/xblock_history/{template}.html", shared | context, status=status)


def usernames_on(owner: RowOwner, entries: list[Any]) -> dict[int, str]:
    """Return the names of the learner and of those who made the entries, in one query."""
    return usernames_for({owner.student_id, *(entry.actor_id for entry in entries if entry.actor_id is not None)})


def _row_url(site: Any, row_id: int) -> str:
    try:
        return reverse(
            f"{site.name}:{StudentModule._meta.app_label}_{StudentModule._meta.model_name}_change", args=[row_id]
        )
    except NoReverseMatch:
        return ""
