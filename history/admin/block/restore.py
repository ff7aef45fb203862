"""Putting a version back: a page that shows what would change, and does it when asked with a reason."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.db import router
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from history.admin.audit_log import note
from history.admin.block.pages import (
    RESTORE,
    BlockPagesAdmin,
    block_page,
    entry_url,
    get_owner_or_404,
    page_url,
    usernames_on,
)
from history.admin.block.version import version_of, with_full_state
from history.admin.block.version_summary import summarize_version
from history.comparison.diff import diff
from history.exceptions import RestoreRefused
from history.reading.ownership import RowOwner
from history.restore import restore
from kvstore.admin.rendering import score_text
from kvstore.exceptions import KVStoreError, UnusableContext, WriteConflict
from kvstore.models import StudentModule
from kvstore.versioning.context import MAX_REASON_LENGTH

REFUSED = (RestoreRefused, UnusableContext, KVStoreError, WriteConflict)


class RestorationForm(forms.Form):
    """What staff decide; the state itself is never taken from a form."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=MAX_REASON_LENGTH,
        widget=forms.TextInput(attrs={"class": "vTextField", "autocomplete": "off"}),
        help_text=gettext_lazy("Kept in the history with your name, for as long as the history is kept."),
    )
    grade = forms.BooleanField(
        label=gettext_lazy("Put the grade back too"),
        required=False,
        help_text=gettext_lazy("Otherwise the grade stays as it is."),
    )
    # The version that the page showed what would change of.
    expected_version = forms.IntegerField(min_value=0, widget=forms.HiddenInput)


def restoration_page(model_admin: BlockPagesAdmin, request: HttpRequest, row_id: int, version: int) -> HttpResponseBase:
    """Show what putting a version back would change; on POST, put it back."""
    owner = get_owner_or_404(model_admin, request, row_id, RESTORE)
    entry = version_of(owner, row_id, version, request.GET.get("digest", ""), prepare=with_full_state)
    if request.method != "POST":
        return _preview(model_admin, request, owner, entry, None)
    form = RestorationForm(request.POST, label_suffix="")
    if not form.is_valid():
        return _preview(model_admin, request, owner, entry, form, status=400)
    try:
        restored = restore(
            entry,
            expected_version=form.cleaned_data["expected_version"],
            reason=form.cleaned_data["reason"],
            actor=request.user,
            grade=form.cleaned_data["grade"],
        )
    except REFUSED as error:
        form.add_error(None, str(error))
        return _preview(model_admin, request, owner, entry, form, status=409)
    return _done(model_admin, request, owner, entry, restored)


def _preview(
    model_admin: BlockPagesAdmin,
    request: HttpRequest,
    owner: RowOwner,
    entry: Any,
    form: RestorationForm | None,
    status: int = 200,
) -> HttpResponseBase:
    row = _row(owner)
    names = usernames_on(owner, [entry])
    is_too_large = entry.size is not None and entry.small_state is None
    difference = None if is_too_large else diff(row.state if row else None, entry.small_state)
    return block_page(
        model_admin,
        request,
        owner,
        entry.student_module_id,
        "restoration",
        title=_("Restore version %(version)s") % {"version": entry.version},
        names=names,
        status=status,
        form=form or RestorationForm(label_suffix=""),
        step=summarize_version(model_admin, entry, None, names),
        # What is agreed to is what this page shows, not what an earlier one did.
        current_version=row.version if row else 0,
        current_score=score_text(row) if row else "",
        difference=difference,
        version_url=entry_url(model_admin, "version", entry),
    )


def _row(owner: RowOwner) -> StudentModule | None:
    rows = StudentModule.objects.using(router.db_for_write(StudentModule))
    return rows.filter(
        student_id=owner.student_id,
        module_state_key=owner.address.usage_key,
        course_id=owner.address.course_id,
    ).first()


def _done(
    model_admin: BlockPagesAdmin, request: HttpRequest, owner: RowOwner, entry: Any, restored: int
) -> HttpResponseBase:
    row = _row(owner)
    if row is not None:
        note(request, row, _("Restored version %(version)s.") % {"version": entry.version})
    messages.success(
        request,
        _("Version %(version)s was put back as version %(restored)s.")
        % {"version": entry.version, "restored": restored},
    )
    return HttpResponseRedirect(page_url(model_admin, "timeline", row.pk if row else entry.student_module_id))
