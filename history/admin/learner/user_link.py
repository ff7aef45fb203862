"""Adds a link to the learner's page to the admin of users."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.template.response import TemplateResponse

from history.admin.permissions import HistoryAdmin
from history.models import StudentModuleHistory
from kvstore.admin.links import learner_url


class LearnerLinkMixin:
    """Shows *Blocks of this learner* on the page of a user, for staff who may view the history::

        class SchoolUserAdmin(LearnerLinkMixin, UserAdmin): ...

    Keeps the template of the page, also one of the project.
    """

    # Of the ModelAdmin that this class is mixed into, which the type checker does not know.
    admin_site: Any

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        response = super().render_change_form(request, context, *args, **kwargs)  # type: ignore[misc]
        user = context.get("original")
        model_admin = self.admin_site._registry.get(StudentModuleHistory)
        is_allowed = isinstance(model_admin, HistoryAdmin) and model_admin.has_view_permission(request)
        address = learner_url(self.admin_site, user.pk) if user is not None and is_allowed else ""
        if address and isinstance(response, TemplateResponse) and response.context_data is not None:
            page = response.resolve_template(response.template_name)
            response.context_data |= {"user_page": page, "learner_url": address}
            response.template_name = "admin/xblock_history/user.html"
        return response
