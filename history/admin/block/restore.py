"""Page: preview and restore a version."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.db import router
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from history.admin.block.pages import RESTORE, block_page, entry_url, get_owner_or_404, page_url, usernames_on
from history.admin.block.version import version_of, with_full_state
from history.admin.block.version_summary import summarize_version
from history.admin.permissions import HistoryAdmin
from history.comparison.diff import diff
from history.exceptions import RestoreRefused
from history.reading.ownership import RowOwner
from history.restore import restore
from kvstore.admin.rendering import score_text
from kvstore.exceptions import KVStoreError, UnusableContext, WriteConflict
from kvstore.models import StudentModule
from kvstore.versioning.context import MAX_REASON_LENGTH

REFUSED = (RestoreRefused, UnusableContext, KVStoreError, WriteConflict)


class RestoreForm(forms.Form):
    """The reason and the options. The restored state is read from the history, not from a form."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=MAX_REASON_LENGTH,
        widget=forms.TextInput(attrs={"class": "vTextField", "autocomplete": "off"}),
        help_text=gettext_lazy("Stored in the history with your name."),
    )
    grade = forms.BooleanField(
        label=gettext_lazy("Restore the grade too"),
        required=False,
        help_text=gettext_lazy("Otherwise the current grade stays."),
    )
    # The version in the preview: a later one is not overwritten.
    expected_version = forms.IntegerField(min_value=0, widget=forms.HiddenInput)


def restore_page(model_admin: HistoryAdmin, request: HttpRequest, row_id: int, version: int) -> HttpResponseBase:
    """Preview the changes; on POST, restore the version."""
    owner = get_owner_or_404(model_admin, request, row_id, RESTORE)
    entry = version_of(owner, row_id, version, request.GET.get("digest", ""), prepare=with_full_state)
    form, status = RestoreForm(label_suffix=""), 200
    if request.method == "POST":
        form, status = RestoreForm(request.POST, label_suffix=""), 400
        if form.is_valid():
            try:
                restored = restore(entry, actor=request.user, **form.cleaned_data)
                return _done(model_admin, request, owner, entry, restored)
            except REFUSED as error:
                form.add_error(None, str(error))
                status = 409
    return _preview(model_admin, request, owner, entry, form, status)


def _preview(
    model_admin: HistoryAdmin, request: HttpRequest, owner: RowOwner, entry: Any, form: RestoreForm, status: int
) -> HttpResponseBase:
    row = _row(owner)
    names = usernames_on(owner, [entry])
    is_too_large = entry.size is not None and entry.small_state is None
    return block_page(
        model_admin,
        request,
        owner,
        entry.student_module_id,
        "restore",
        title=_("Restore version %(version)s") % {"version": entry.version},
        names=names,
        status=status,
        form=form,
        step=summarize_version(model_admin, entry, None, names),
        # Submitting the form again accepts the changes on this page.
        current_version=row.version if row else 0,
        current_score=score_text(row) if row else "",
        difference=None if is_too_large else diff(row.state if row else None, entry.small_state),
        version_url=entry_url(model_admin, "version", entry),
    )


def _row(owner: RowOwner) -> StudentModule | None:
    rows = StudentModule.objects.using(router.db_for_write(StudentModule))
    key, course = owner.address.usage_key, owner.address.course_id
    return rows.filter(student_id=owner.student_id, module_state_key=key, course_id=course).first()


def _done(
    model_admin: HistoryAdmin, request: HttpRequest, owner: RowOwner, entry: Any, restored: int
) -> HttpResponseBase:
    row = _row(owner)
    if row is not None:
        model_admin.log_change(request, row, _("Restored version %(version)s.") % {"version": entry.version})
    versions = {"version": entry.version, "restored": restored}
    messages.success(request, _("Version %(version)s was restored as version %(restored)s.") % versions)
    return HttpResponseRedirect(page_url(model_admin, "timeline", row.pk if row else entry.student_module_id))
