"""Addresses of lists and timelines in an admin site."""

from typing import Any
from urllib.parse import urlencode

from django.contrib.admin import AdminSite
from django.urls import NoReverseMatch, reverse

INCIDENT_URL = "xblock_history_incident"


def timeline_url(site: AdminSite, student_module_id: int) -> str:
    """Return the address of a timeline, or of the list of the row's entries if the site has no timelines."""
    try:
        return reverse(f"{site.name}:xblock_history_timeline", args=(student_module_id,))
    except NoReverseMatch:
        return list_url(site, "studentmodulehistory", q=f"id:{student_module_id}")


def list_url(site: AdminSite, model_name: str, **parameters: Any) -> str:
    """Return the address of a list with parameters."""
    address = reverse(f"{site.name}:xblock_history_{model_name}_changelist")
    return f"{address}?{urlencode(parameters)}" if parameters else address
