"""Viewing learners' state: the log of views, and the permission for the stored text.

A user with the view permission sees a state formatted: indented, and its changes field by field. The stored text, as
it is, requires the permission to export. That includes the text of a state that is not JSON and has no other form.
"""

import json
import logging
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from history.conf import conf
from kvstore.admin.base import ReadOnlyAdmin
from kvstore.admin.rendering import render_json
from kvstore.staff.text import escape_unprintable, shorten

logger = logging.getLogger("history.views")

MAX_ADDRESS = 500
"""characters"""


def log_view(
    request: HttpRequest, *, learner_id: int | None = None, course: Any = "", block: Any = "", row_id: int | None = None
) -> None:
    """Log who viewed or exported which state, without content of the state, if HISTORY_LOG_VIEWS is set.

    The record has the logger ``history.views``, the level INFO and the attributes ``viewer_id``, ``page`` (the name of
    the URL), ``address``, which contains the versions or the filters, ``learner_id``, ``course``, ``usage_key`` and
    ``row_id``. The last four are None or empty for the export of a list and for the repair of an incident. Its message
    is one line of JSON with these.
    """
    if not conf.HISTORY_LOG_VIEWS:
        return
    match = request.resolver_match
    viewed = {
        "viewer_id": request.user.pk,
        "page": match.url_name if match else "",
        "address": shorten(request.get_full_path(), MAX_ADDRESS),
        "learner_id": learner_id,
        # Printable, so that no text can begin another line in a log that writes the attributes.
        "course": escape_unprintable(str(course)),
        "usage_key": escape_unprintable(str(block)),
        "row_id": row_id,
    }
    logger.info("%s", json.dumps(viewed), extra=viewed)


class StatePage(ReadOnlyAdmin):
    """Shows the state of one row or entry: the page is logged, and the stored text restricted."""

    def has_export_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the user may see the stored text of the state."""
        return request.user.has_perm("xblock_history.export_studentmodulehistory")

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        row.may_show_stored_text = self.has_export_permission(request, row)
        row_id = getattr(row, "student_module_id", row.pk)
        viewed = {"learner_id": row.student_id, "course": row.course_id, "block": row.module_state_key}
        log_view(request, **viewed, row_id=row_id)
        return super().page_context(request, row)

    @admin.display(description=gettext_lazy("state"))
    def readable_state(self, row: Any) -> str:
        if getattr(row, "may_show_stored_text", False) or row.state is None or not render_json(row.state).error:
            return super().readable_state(row)
        return format_html(
            "<em>{}</em>", _("The state is not a JSON text. To see it requires the permission to export.")
        )
