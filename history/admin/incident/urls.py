"""URL of the page, which requires login and CSRF tokens."""

from functools import partial
from typing import Any

from django.db import transaction
from django.urls import path
from django.views.decorators.http import require_http_methods

from history.admin.incident.page import incident_page
from history.admin.permissions import HistoryAdmin
from history.admin.unavailable import or_unavailable
from history.admin.urls import INCIDENT_URL


def incident_url(model_admin: HistoryAdmin) -> Any:
    """Return the URL pattern for an admin."""
    view = require_http_methods(["GET", "HEAD", "POST"])(partial(or_unavailable(incident_page), model_admin))
    # Each row has its own transaction, also in projects with ATOMIC_REQUESTS.
    view = transaction.non_atomic_requests(model_admin.admin_site.admin_view(view))
    return path("incident/", view, name=INCIDENT_URL)
