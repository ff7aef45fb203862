"""The address of a learner's page."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.urls import path
from django.views.decorators.http import require_safe

from history.admin.learner.page import learner_page
from history.admin.permissions import HistoryAdmin
from history.admin.unavailable import or_unavailable
from kvstore.admin.links import LEARNER_URL


def learner_urls(model_admin: HistoryAdmin) -> list[Any]:
    """Return the URL pattern for an admin; admin_view() requires login."""
    view = require_safe(partial(or_unavailable(learner_page), model_admin))
    return [path("learner/<int:user_id>/", model_admin.admin_site.admin_view(view), name=LEARNER_URL)]
