"""The forms of the page: the criteria of the selection, and the confirmation of the previewed repair."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from history.exceptions import UnusableSelection
from history.incident.criteria import CRITERIA, selection_from
from history.incident.selection import Selection
from kvstore.versioning.context import MAX_REASON_LENGTH

MAX_LENGTH = 2000
"""characters of a criterion, which may be the address of a page"""


def _text(label: Any, help_text: Any = "", example: str = "") -> forms.CharField:
    attributes = {"class": "vTextField", "autocomplete": "off", "spellcheck": "false"}
    attributes |= {"placeholder": example} if example else {}
    widget = forms.TextInput(attrs=attributes)
    # Not stripped: recorded reasons and request ids may begin or end with white space.
    return forms.CharField(
        label=label, help_text=help_text, required=False, strip=False, max_length=MAX_LENGTH, widget=widget
    )


class CriteriaForm(forms.Form):
    """The criteria. A valid form has a ``selection``."""

    course = _text(gettext_lazy("Course"), example="course-v1:Org+Course+Run")
    block = _text(gettext_lazy("Block"), gettext_lazy("A usage key, or the address of a page that contains it."))
    block_type = _text(gettext_lazy("Block type"), example="problem")
    actor = _text(gettext_lazy("Actor"), gettext_lazy("A username, an e-mail address, or id:NUMBER."))
    request_id = _text(gettext_lazy("Request"), gettext_lazy("To undo a repair: the id of the repair."))
    recorded_reason = _text(gettext_lazy("Recorded reason"), gettext_lazy("Exactly as in the history."))
    since = _text(gettext_lazy("From"), gettext_lazy("Included."), "2026-01-31")
    until = _text(gettext_lazy("Until"), gettext_lazy("Not included; for a date, the end of the day."), "2026-02-01")
    keep_grades = forms.BooleanField(label=gettext_lazy("Keep the present grades"), required=False)

    selection: Selection

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if not self.errors:
            try:
                self.selection = selection_from(cleaned)
            except UnusableSelection as error:
                raise forms.ValidationError(str(error)) from error
        return cleaned

    @property
    def texts(self) -> dict[str, str]:
        """The typed criteria of a valid form."""
        texts = {name: self.cleaned_data[name] for name in CRITERIA if self.cleaned_data[name].strip()}
        return texts | ({"keep_grades": "on"} if self.cleaned_data["keep_grades"] else {})


class ConfirmationForm(forms.Form):
    """The reason, and the digest of the preview that the user has seen."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=MAX_REASON_LENGTH,
        widget=forms.TextInput(attrs={"class": "vTextField", "autocomplete": "off"}),
        help_text=gettext_lazy("Stored in the history with your name."),
    )
    seen = forms.CharField(required=False, widget=forms.HiddenInput)
