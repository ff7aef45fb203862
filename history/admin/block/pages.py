"""Common parts of the pages about one block of one learner: permissions, addresses and context."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from opaque_keys.edx.keys import UsageKey

from history.admin.permissions import HistoryAdmin
from history.admin.viewing import log_view
from history.querysets import on_primary
from history.reading.ownership import RowOwner, find_owner
from kvstore.admin.links import learner_url
from kvstore.exceptions import UnusableKey
from kvstore.keys import key_from_text
from kvstore.models import StudentModule
from kvstore.staff.text import shorten
from kvstore.staff.users import MAX_ID, display_name, names_for

VIEW = "has_view_permission"
RESTORE = "has_restore_permission"
EXPORT = "has_export_permission"

KEEP_GRADE, RESTORE_GRADE = "keep", "restore"
"""values of the parameter ``grade`` of a restore page"""

VERSION_KEY = re.compile(r"(?:(\d{1,18})\.)?(\d{1,18})(?:\.([0-9a-f]{8,66}))?", re.ASCII)
DIGEST = re.compile(r"[0-9a-f]{8,66}|", re.ASCII)
DIGEST_DIGITS = 16
"""hexadecimal digits that identify an entry of a branch in an address"""

SHOWN_BLOCK_ID = 80
"""characters of a block's id in a title"""


class VersionKey(NamedTuple):
    """An entry in an address; ``digest`` is the beginning of its digest if row and version are ambiguous."""

    row_id: int
    version: int
    digest: str = ""


def page_url(model_admin: HistoryAdmin, name: str, *args: int) -> str:
    """Return the address of a page of a block in the same admin site."""
    return reverse(f"{model_admin.admin_site.name}:xblock_history_{name}", args=args)


def entry_url(model_admin: HistoryAdmin, name: str, entry: Any) -> str:
    """Return the address of a page of one version."""
    address = page_url(model_admin, name, entry.student_module_id, entry.version)
    return f"{address}?digest={entry.digest.hex()[:DIGEST_DIGITS]}" if entry.is_branch else address


def with_grade(restore_url: str) -> str:
    """Return the address of a restore page that offers to restore the grade first."""
    return f"{restore_url}{'&' if '?' in restore_url else '?'}grade={RESTORE_GRADE}"


def key_of(entry: Any) -> str:
    """Return the key of an entry, which :func:`version_key` parses."""
    digest = f".{entry.digest.hex()[:DIGEST_DIGITS]}" if entry.is_branch else ""
    return f"{entry.student_module_id}.{entry.version}{digest}"


def version_key(text: str, row_id: int) -> VersionKey | None:
    """Parse "version", "row.version" or "row.version.digest"; return None for other texts."""
    match = VERSION_KEY.fullmatch(text)
    return VersionKey(int(match[1] or row_id), int(match[2]), match[3] or "") if match else None


def get_owner_or_404(model_admin: HistoryAdmin, request: HttpRequest, row_id: int, permission: str = VIEW) -> RowOwner:
    """Return the learner and the block of a row. Raises PermissionDenied, Http404 or HistoryUnavailable."""
    has_permission = getattr(model_admin, permission)
    # Checked in general first: users without the permission must not learn which rows exist.
    if not has_permission(request):
        raise PermissionDenied(permission)
    owner = find_owner(row_id) if row_id <= MAX_ID else None
    if owner is None:
        raise Http404(_("Row %(id)s of learners' state does not exist and never did.") % {"id": row_id})
    if not has_permission(request, owner):
        raise PermissionDenied(permission)
    return owner


def log_view_of(request: HttpRequest, owner: RowOwner, row_id: int) -> None:
    """Log that a page or a file contains the learner's state of the block."""
    address = owner.address
    log_view(request, learner_id=owner.student_id, course=address.course_id, block=address.usage_key, row_id=row_id)


class PresentRow(NamedTuple):
    """The row that a learner has of a block now."""

    row_id: int
    version: int


def rows_of(owner: RowOwner) -> QuerySet[StudentModule]:
    """Return the row that the learner has of the block now: at most one, which may have another id than the owner's."""
    key, course = owner.address.usage_key, owner.address.course_id
    return on_primary(StudentModule).filter(student_id=owner.student_id, module_state_key=key, course_id=course)


def present_row(owner: RowOwner, row_id: int) -> PresentRow | None:
    """Return the row that the learner has of the block now. One query if the row ``row_id`` was deleted."""
    if owner.version:
        return PresentRow(row_id, owner.version)
    # Not first(), which sorts.
    return next((PresentRow(*values) for values in rows_of(owner).values_list("pk", "version")), None)


def block_page(
    model_admin: HistoryAdmin,
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
    """Return a page with the context that ``block.html`` reads, and log the view.

    Its title is ``title`` with the block and learner.
    """
    log_view_of(request, owner, row_id)
    site = model_admin.admin_site
    request.current_app = site.name
    learner = display_name(owner.student_id, names)
    present = present_row(owner, row_id)
    shared = {
        **site.each_context(request),
        "opts": model_admin.opts,
        "title": _("%(page)s of %(block)s for %(learner)s")
        % {"page": title, "block": _block_id(owner), "learner": learner},
        "page_name": title,
        "subtitle": None,
        "owner": owner,
        "learner": learner,
        "learner_url": learner_url(site, owner.student_id, owner.course_id),
        "row_id": row_id,
        "present": present,
        "row_url": _row_url(site.name, present.row_id) if present else "",
        "timeline_url": page_url(model_admin, "timeline", present.row_id if present else row_id),
        "may_restore": model_admin.has_restore_permission(request, owner),
        "may_export": model_admin.has_export_permission(request, owner),
    }
    return TemplateResponse(request, f"admin/xblock_history/{template}.html", shared | context, status=status)


def names_on(owner: RowOwner, entries: list[Any]) -> dict[int, str]:
    """Return the names of the learner and of the actors, in one query."""
    return names_for({owner.student_id, *(entry.actor_id for entry in entries if entry.actor_id is not None)})


def _row_url(site_name: str, row_id: int) -> str:
    try:
        return reverse(f"{site_name}:xblock_kvstore_studentmodule_change", args=[row_id])
    except NoReverseMatch:
        return ""


def _block_id(owner: RowOwner) -> str:
    text = owner.address.usage_key
    try:
        return shorten(str(getattr(key_from_text(text, UsageKey), "block_id", text)), SHOWN_BLOCK_ID)
    except UnusableKey:
        return shorten(text, SHOWN_BLOCK_ID)
