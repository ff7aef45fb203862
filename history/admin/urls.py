"""Addresses of the history's pages in an admin site."""

from typing import Any
from urllib.parse import urlencode

from django.contrib.admin import AdminSite
from django.contrib.admin.utils import quote
from django.urls import NoReverseMatch, reverse

from history.models import Entry


def version_url(site: AdminSite, entry: Entry) -> str:
    """Return the address of the page of one version; where the site has none, of the entry as it is stored."""
    try:
        return reverse(f"{site.name}:xblock_history_version", args=(entry.student_module_id, entry.version))
    except NoReverseMatch:
        return reverse(f"{site.name}:xblock_history_{entry._meta.model_name}_change", args=(quote(entry.pk),))


def timeline_url(site: AdminSite, student_module_id: int) -> str:
    """Return the address of a block's timeline for a learner; where the site has none, of the list of its versions."""
    try:
        return reverse(f"{site.name}:xblock_history_timeline", args=(student_module_id,))
    except NoReverseMatch:
        return list_url(site, "studentmodulehistory", q=f"id:{student_module_id}")


def list_url(site: AdminSite, model_name: str, **parameters: Any) -> str:
    """Return the address of a list of entries, filtered."""
    address = reverse(f"{site.name}:xblock_history_{model_name}_changelist")
    return f"{address}?{urlencode(parameters)}" if parameters else address
