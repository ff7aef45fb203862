"""The filters of a timeline: flag, change of the grade, actor, and time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from history.admin.block.steps import Step
from history.comparison.flags import Flag, predecessor
from kvstore.staff.dates import InvalidFilterValue, earliest, input_value, latest
from kvstore.staff.users import display_name

MAX_ACTOR_LENGTH = 150
TICK = timedelta(microseconds=1)


class MomentInput(forms.DateTimeInput):
    """A text in any form that staff may type, shown by the browser's control for times."""

    input_type = "datetime-local"

    def format_value(self, value: Any) -> str:
        return input_value(value or "")


class MomentField(forms.Field):
    """A time; ``parse`` returns the first or the last moment that a text may mean."""

    def __init__(self, parse: Callable[[str], datetime], **options: Any) -> None:
        super().__init__(required=False, widget=MomentInput(attrs={"step": "1"}), **options)
        self.parse = parse

    def to_python(self, value: str | None) -> datetime | None:
        try:
            return self.parse(value.strip()) if value and value.strip() else None
        except InvalidFilterValue as error:
            raise ValidationError(str(error)) from error


class TimelineFilters(forms.Form):
    """The parameters of a timeline's address that select steps. Empty parameters select every step."""

    flag = forms.ChoiceField(label=_("Flag"), required=False, choices=[("", _("Any")), *Flag.choices])
    grade = forms.ChoiceField(
        label=_("Grade"), required=False, choices=[("", _("Any")), ("changed", _("Changed")), ("same", _("Unchanged"))]
    )
    actor = forms.CharField(
        label=_("Actor"),
        required=False,
        max_length=MAX_ACTOR_LENGTH,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    since = MomentField(earliest, label=_("Since"))
    until = MomentField(latest, label=_("Until"))

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters that are not empty, as they were typed."""
        return {name: value for name in self.fields if (value := self.data.get(name, "").strip())}

    @property
    def since_moment(self) -> datetime | None:
        since: datetime | None = self.cleaned_data["since"]
        return since

    @property
    def last_moment(self) -> datetime | None:
        """The last moment that is included. The day or the second in the field ends before the next one."""
        until = self.cleaned_data["until"]
        return until - TICK if until else None

    def selects(self, step: Step, names: Mapping[int, str]) -> bool:
        """Return whether the time, the actors and the grade of a step match. The flag needs its difference."""
        return self._selects_time(step) and self._selects_actor(step, names) and self._selects_grade(step)

    def selects_flags(self, flags: tuple[Flag, ...]) -> bool:
        return self.cleaned_data["flag"] in ("", *flags)

    def _selects_time(self, step: Step) -> bool:
        since = self.since_moment
        return since is None or any(entry.created >= since for entry in step.versions)

    def _selects_actor(self, step: Step, names: Mapping[int, str]) -> bool:
        text = self.cleaned_data["actor"].casefold()
        actors = {entry.actor_id for entry in step.versions} - {None}
        return not text or any(text in display_name(actor, names).casefold() for actor in actors)

    def _selects_grade(self, step: Step) -> bool:
        wanted = self.cleaned_data["grade"]
        newest = step.versions[0]
        before = predecessor(step.versions[-1], step.older)
        has_changed = _grade(newest) != (_grade(before) if before else (None, None))
        return not wanted or has_changed == (wanted == "changed")


def _grade(entry: Any) -> tuple[float | None, float | None]:
    return entry.grade, entry.max_grade
