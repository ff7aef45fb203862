"""Links to the page of a learner, if the admin site has one."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin import AdminSite
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html

from kvstore.conf import HISTORY_LABEL
from kvstore.staff.users import display_name

LEARNER_URL = f"{HISTORY_LABEL}_learner"
"""name of the address, which the app that keeps the history provides"""


def learner_url(site: AdminSite, user_id: int, course_id: Any = None) -> str:
    """Return the address of a learner's page, of one course if given; empty if the site has none."""
    try:
        address = reverse(f"{site.name}:{LEARNER_URL}", args=(user_id,))
    except NoReverseMatch:
        return ""
    return address if course_id is None else f"{address}?{urlencode({'course': str(course_id)})}"


def learner_link(site: AdminSite, user_id: int, names: Mapping[int, str], course_id: Any = None) -> str:
    """Return the name of a learner as HTML, a link to the learner's page if the site has one."""
    name, address = display_name(user_id, names), learner_url(site, user_id, course_id)
    return format_html('<a href="{}">{}</a>', address, name) if address else name
