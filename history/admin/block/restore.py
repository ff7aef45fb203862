"""Page: preview and restore a version."""

from __future__ import annotations

from typing import Any, NamedTuple

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from history.admin.block.pages import (
    KEEP_GRADE,
    RESTORE,
    RESTORE_GRADE,
    block_page,
    entry_url,
    get_owner_or_404,
    names_on,
    page_url,
    rows_of,
    with_grade,
)
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
from kvstore.signals import DELETED
from kvstore.versioning import codec
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
    # The value of the button that submits the form.
    grade = forms.ChoiceField(
        choices=[(KEEP_GRADE, KEEP_GRADE), (RESTORE_GRADE, RESTORE_GRADE)], required=False, widget=forms.HiddenInput
    )
    # The version in the preview: a later one is not overwritten.
    expected_version = forms.IntegerField(min_value=0, widget=forms.HiddenInput)


class Button(NamedTuple):
    """A submit button, which states what happens to the grade."""

    grade: str
    label: str


class Comparison(NamedTuple):
    """What a restore would change now."""

    has_equal_state: bool
    has_equal_grade: bool
    grade_now: str
    grade_then: str


def restore_page(model_admin: HistoryAdmin, request: HttpRequest, row_id: int, version: int) -> HttpResponseBase:
    """Preview the changes; on POST, restore the version."""
    owner = get_owner_or_404(model_admin, request, row_id, RESTORE)
    entry = version_of(owner, row_id, version, request.GET.get("digest", ""), prepare=with_full_state)
    form, status = RestoreForm(label_suffix=""), 200
    if request.method == "POST":
        form, status = RestoreForm(request.POST, label_suffix=""), 400
        if form.is_valid():
            expected, grade = form.cleaned_data["expected_version"], form.cleaned_data["grade"] == RESTORE_GRADE
            reason = form.cleaned_data["reason"]
            try:
                restored = restore(entry, actor=request.user, expected_version=expected, reason=reason, grade=grade)
                return _done(model_admin, request, owner, entry, restored, expected, with_old_grade=grade)
            except REFUSED as error:
                form.add_error(None, str(error))
                status = 409
    return _preview(model_admin, request, owner, entry, form, status)


def _preview(
    model_admin: HistoryAdmin, request: HttpRequest, owner: RowOwner, entry: Any, form: RestoreForm, status: int
) -> HttpResponseBase:
    row = _row(owner)
    names = names_on(owner, [entry])
    is_too_large = entry.size is not None and entry.small_state is None
    comparison = _comparison(row, entry, is_too_large=is_too_large)
    wanted = (form.data if form.is_bound else request.GET).get("grade", "")
    return block_page(
        model_admin,
        request,
        owner,
        entry.student_module_id,
        "restore",
        title=_("Restore of version %(version)s") % {"version": entry.version},
        names=names,
        status=status,
        form=form,
        step=summarize_version(model_admin, entry, None, names),
        # Submitting the form again accepts the changes on this page.
        current_version=row.version if row else 0,
        comparison=comparison,
        buttons=[] if entry.action == DELETED else _buttons(comparison, entry.version, wanted),
        difference=None if is_too_large else diff(row.state if row else None, entry.small_state),
        version_url=entry_url(model_admin, "version", entry),
    )


def _comparison(row: StudentModule | None, entry: Any, *, is_too_large: bool) -> Comparison:
    grade = (row.grade, row.max_grade) if row else (None, None)
    return Comparison(
        has_equal_state=row is not None and not is_too_large and codec.same_state(row.state, entry.small_state),
        has_equal_grade=grade == (entry.grade, entry.max_grade),
        grade_now=_grade(row),
        grade_then=_grade(entry),
    )


def _buttons(comparison: Comparison, version: int, wanted: str) -> list[Button]:
    """Return the possible restores, the wanted one first: the Enter key presses the first button."""
    grades = {"version": version, "now": comparison.grade_now, "then": comparison.grade_then}
    keep = Button(KEEP_GRADE, _("Restore version %(version)s, keep the grade: %(now)s") % grades)
    if comparison.has_equal_grade:
        return [] if comparison.has_equal_state else [keep]
    if comparison.has_equal_state:
        return [Button(RESTORE_GRADE, _("Restore only the grade of version %(version)s: %(then)s") % grades)]
    buttons = [keep, Button(RESTORE_GRADE, _("Restore version %(version)s and its grade: %(then)s") % grades)]
    return sorted(buttons, key=lambda button: button.grade != wanted)


def _row(owner: RowOwner) -> StudentModule | None:
    # Not first(), which sorts.
    return next(iter(rows_of(owner)), None)


def _grade(graded: Any) -> str:
    return (graded and score_text(graded)) or _("none")


def _done(
    model_admin: HistoryAdmin,
    request: HttpRequest,
    owner: RowOwner,
    entry: Any,
    restored: int,
    expected_version: int,
    *,
    with_old_grade: bool,
) -> HttpResponseBase:
    row = _row(owner)
    if row is not None:
        model_admin.log_change(request, row, _("Restored version %(version)s.") % {"version": entry.version})
    messages.success(
        request,
        format_html(
            "{} {} {}",
            _("Version %(version)s was restored as version %(restored)s.")
            % {"version": entry.version, "restored": restored},
            _grade_sentence(row, entry, restored, with_old_grade=with_old_grade),
            _undo_link(model_admin, row, expected_version, with_old_grade=with_old_grade),
        ),
    )
    return HttpResponseRedirect(page_url(model_admin, "timeline", row.pk if row else entry.student_module_id))


def _grade_sentence(row: StudentModule | None, entry: Any, restored: int, *, with_old_grade: bool) -> str:
    if with_old_grade:
        return _("Its grade was restored: %(grade)s.") % {"grade": _grade(entry)}
    if row is None or row.version != restored:
        # The learner has written since.
        return _("The grade was kept.")
    return _("The grade was kept: %(grade)s.") % {"grade": _grade(row)}


def _undo_link(
    model_admin: HistoryAdmin, row: StudentModule | None, expected_version: int, *, with_old_grade: bool
) -> str:
    """Return a link to restore the version that was current before; none if there was no row."""
    if row is None or not expected_version:
        return ""
    address = page_url(model_admin, "restore", row.pk, expected_version)
    label = _("Undo: restore version %(version)s…") % {"version": expected_version}
    return format_html('<a href="{}">{}</a>', with_grade(address) if with_old_grade else address, label)
