"""Addresses of lists and timelines in an admin site, and the link to a timeline."""

from typing import Any
from urllib.parse import urlencode

from django.contrib.admin import AdminSite
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from kvstore.staff.text import escape_unprintable

INCIDENT_URL = "xblock_history_incident"


def timeline_url(site: AdminSite, student_module_id: int) -> str:
    """Return the address of a timeline, or of the list of the row's entries if the site has no timelines."""
    try:
        return reverse(f"{site.name}:xblock_history_timeline", args=(student_module_id,))
    except NoReverseMatch:
        return list_url(site, "studentmodulehistory", q=f"id:{student_module_id}")


def timeline_link(site: AdminSite, student_module_id: int, block: str, learner: str) -> SafeString:
    """Return the link for a column of a list; its label names the block and the learner."""
    label = _("Timeline of %(block)s for %(learner)s") % {"block": block, "learner": learner}
    address = timeline_url(site, student_module_id)
    return format_html(
        '<a class="field-timeline" href="{}" aria-label="{}">{}</a>', address, escape_unprintable(label), _("Timeline")
    )


def list_url(site: AdminSite, model_name: str, **parameters: Any) -> str:
    """Return the address of a list with parameters."""
    address = reverse(f"{site.name}:xblock_history_{model_name}_changelist")
    return f"{address}?{urlencode(parameters)}" if parameters else address
