"""Explains refusals in the admin's frame: the missing permission (status 403), or the missing object (status 404)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from django.contrib.auth.models import Permission
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern
from django.utils.translation import gettext as _

VIEW = "has_view_permission"
READ_ONLY = ("_add", "_delete")
"""ends of the URL names of pages that no account may use"""


def explained(model_admin: Any, pattern: Any) -> Any:
    """Return a URL pattern of an admin with a view that answers refusals with a page."""
    if not isinstance(pattern, URLPattern):
        return pattern
    return URLPattern(
        pattern.pattern, _explained_view(model_admin, pattern.callback), pattern.default_args, pattern.name
    )


def _explained_view(model_admin: Any, view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    @functools.wraps(view)
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except PermissionDenied as refusal:
            # Our views pass the method that refused; Django's pages require the permission to view.
            method = refusal.args[0] if refusal.args else VIEW
            return _forbidden(model_admin, request, method)
        except Http404 as absent:
            return _page(model_admin, request, 404, _("Not found"), str(absent) or _("This page does not exist."))

    return wrapper


def _forbidden(model_admin: Any, request: HttpRequest, method: str) -> TemplateResponse:
    missing: list[str] = []
    if _is_read_only(request):
        sentence = _(
            "The admin never adds, changes or deletes %(names)s, for no account. To change a state, restore a version."
        )
    elif missing := [name for name in _required(model_admin, request, method) if not request.user.has_perm(name)]:
        sentence = _("Your account lacks a permission that this page requires.")
    else:
        sentence = _("Your account has the permissions for this page, but not for this learner, block or course.")
    names = {"names": model_admin.opts.verbose_name_plural}
    return _page(model_admin, request, 403, _("No permission"), sentence % names, _described(missing))


def _is_read_only(request: HttpRequest) -> bool:
    name = str(request.resolver_match and request.resolver_match.url_name)
    return name.endswith(READ_ONLY) or (request.method == "POST" and name.endswith("_change"))


def _required(model_admin: Any, request: HttpRequest, method: str) -> list[str]:
    """Return the permissions that a method of an admin requires, such as ``xblock_history.view_pendinghistory``."""
    opts = model_admin.opts
    viewing = [] if model_admin.has_view_permission(request) else [f"{opts.app_label}.view_{opts.model_name}"]
    return [*viewing, *model_admin.required_permissions.get(method, ())]


def _described(permissions: Sequence[str]) -> list[tuple[str, str]]:
    """Return the names of permissions as the pages of users and groups show them, and their codenames."""
    codenames = [name.partition(".")[2] for name in permissions]
    found = Permission.objects.filter(codename__in=codenames).select_related("content_type") if permissions else ()
    names = {f"{one.content_type.app_label}.{one.codename}": one.name for one in found}
    return [(names.get(name, name), name) for name in permissions]


def _page(
    model_admin: Any,
    request: HttpRequest,
    status: int,
    title: str,
    sentence: str,
    permissions: Sequence[tuple[str, str]] = (),
) -> TemplateResponse:
    site = model_admin.admin_site
    request.current_app = site.name
    context = {
        **site.each_context(request),
        "title": title,
        "sentence": sentence,
        "permissions": permissions,
        "opts": model_admin.opts,
        "may_view": status == 404 and model_admin.has_view_permission(request),
    }
    return TemplateResponse(request, "admin/xblock_kvstore/refusal.html", context, status=status)
