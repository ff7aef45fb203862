"""A timeline to take away, as evidence: every version, byte for byte."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext as _

from history.admin.audit_log import note_about
from history.admin.block.pages import EXPORT, BlockPagesAdmin, get_owner_or_404
from history.admin.exports import FORMATS, download, suffix_asked_for
from history.models import StudentModuleHistory
from history.reading.timeline import timeline_of

PAGE_SIZE = 100
"""entries in one query: with their states, which may be large"""


def export_timeline(model_admin: BlockPagesAdmin, request: HttpRequest, row_id: int) -> HttpResponseBase:
    """Send the whole timeline as JSON Lines, or as CSV with ``?format=csv``."""
    owner = get_owner_or_404(model_admin, request, row_id, EXPORT)
    suffix = suffix_asked_for(request.GET.get("format", ""))
    described = f"learner {owner.student_id}, {owner.address.usage_key}"
    said = _("Exported the timeline as %(format)s.") % {"format": FORMATS[suffix].label}
    note_about(request, StudentModuleHistory, row_id, described, said)
    entries = timeline_of(owner.student_id, owner.address, page_size=PAGE_SIZE)
    return download(entries, f"learner-{owner.student_id}-row-{row_id}", suffix)
