"""The filters beside the lists: each is exact and typed, and none asks the database which choices there are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import F, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from opaque_keys.edx.keys import LearningContextKey

from kvstore.exceptions import UnusableKey
from kvstore.keys import MAX_TYPE_LENGTH, checked_name, key_from_text
from kvstore.staff.dates import InvalidFilterValue, earliest, latest, shown_in_form

Choice = dict[str, Any]


class Filter(ABC, admin.ListFilter):
    """A filter that says what it asks for as lookups, or why it cannot be asked for.

    ``lookups`` is what the query set is filtered with, by name; ``problem`` is empty, or a sentence for staff.
    """

    parameters: ClassVar[tuple[str, ...]]
    """the parameters of the address that are this filter's"""

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        for name in self.parameters:
            if name in params:
                self.used_parameters[name] = params.pop(name)[-1].strip()
        self.problem = ""
        self.lookups: dict[str, Any] = {}
        try:
            self.lookups = self.asked()
        except InvalidFilterValue as error:
            self.problem = str(error)

    @abstractmethod
    def asked(self) -> dict[str, Any]:
        """Return the lookups that the parameters spell. Raises NotUnderstood."""

    def given(self, name: str) -> str:
        """Return what the address says for one of the parameters, or nothing."""
        return str(self.used_parameters.get(name, ""))

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str | None]:
        return list(self.parameters)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.none() if self.problem else queryset.filter(**self.lookups)

    def others(self, changelist: Any) -> list[tuple[str, str]]:
        """Return the parameters that a form of this filter carries on, those of the others."""
        return [(name, value) for name, value in changelist.params.items() if name not in self.parameters]

    def choice(self, changelist: Any, display: str, parameters: dict[str, str]) -> Choice:
        """Return a link that sets this filter to ``parameters``, for the stock template."""
        mine = {name: parameters.get(name) for name in self.parameters}
        return {
            "selected": all(self.given(name) == (value or "") for name, value in mine.items()),
            "query_string": changelist.get_query_string(mine),
            "display": display,
        }


class TextFilter(Filter):
    """A filter whose one value is typed."""

    template = "admin/xblock_kvstore/text_filter.html"
    example: Any

    @property
    def parameter(self) -> str:
        return self.parameters[0]

    def choices(self, changelist: Any) -> Iterator[Choice]:
        yield {"name": self.parameter, "value": self.given(self.parameter), "others": self.others(changelist)}


class ChoiceFilter(Filter):
    """A filter with a few choices that are known."""

    @abstractmethod
    def options(self) -> dict[str, Any]:
        """Return the choices: what the address says, and what the page says."""

    def choices(self, changelist: Any) -> Iterator[Choice]:
        yield self.choice(changelist, _("All"), {})
        for value, display in self.options().items():
            yield self.choice(changelist, display, {self.parameters[0]: value})

    def chosen(self) -> str:
        """Return what is chosen, or nothing. Raises NotUnderstood for what is no choice."""
        value = self.given(self.parameters[0])
        if value and value not in self.options():
            raise InvalidFilterValue(
                _("%(value)r is no choice of the filter by %(title)s.") % {"value": value[:100], "title": self.title}
            )
        return value


class CourseFilter(TextFilter):
    """The learning context, by its key."""

    title = gettext_lazy("course")
    parameters = ("course",)
    example = "course-v1:Org+Course+Run"

    def asked(self) -> dict[str, Any]:
        # A plus sign that was not encoded in an address arrives as a space, which no key has.
        text = self.given("course").replace(" ", "+")
        try:
            return {"course_id": key_from_text(text, LearningContextKey)} if text else {}
        except UnusableKey as error:
            raise InvalidFilterValue(
                _("%(text)r is no key of a course; one looks like %(example)s.")
                % {"text": text[:200], "example": self.example}
            ) from error


class TypeFilter(TextFilter):
    """The block's type, by its name."""

    title = gettext_lazy("block type")
    parameters = ("type",)
    example = "problem"

    def asked(self) -> dict[str, Any]:
        text = self.given("type")
        try:
            return {"module_type": checked_name(text, "block type", MAX_TYPE_LENGTH)} if text else {}
        except UnusableKey as error:
            raise InvalidFilterValue(_("%(text)r is no type of blocks.") % {"text": text[:100]}) from error


class GradeFilter(ChoiceFilter):
    """What the grade is like."""

    title = gettext_lazy("grade")
    parameters = ("grade",)
    LOOKUPS: ClassVar[dict[str, dict[str, Any]]] = {
        "": {},
        "any": {"grade__isnull": False},
        "none": {"grade__isnull": True},
        "zero": {"grade": 0},
        "full": {"grade__gte": F("max_grade"), "max_grade__gt": 0},
    }

    def options(self) -> dict[str, Any]:
        return {"any": _("Has a grade"), "none": _("No grade"), "zero": _("Zero"), "full": _("Full marks")}

    def asked(self) -> dict[str, Any]:
        return self.LOOKUPS[self.chosen()]


class TimeFilter(Filter):
    """When a row was written: in the last hour, day, week or month, or between two moments."""

    template = "admin/xblock_kvstore/time_filter.html"
    title = gettext_lazy("time")
    parameters = ("last", "from", "until")
    column: ClassVar[str]
    LAST: ClassVar[dict[str, timedelta]] = {
        "hour": timedelta(hours=1),
        "day": timedelta(days=1),
        "week": timedelta(days=7),
        "month": timedelta(days=30),
    }

    def asked(self) -> dict[str, Any]:
        last = self.given("last")
        if last and last not in self.LAST:
            raise InvalidFilterValue(_("%(text)r is no time span.") % {"text": last[:100]})
        since = [earliest(self.given("from"))] if self.given("from") else []
        since += [timezone.now() - self.LAST[last]] if last else []
        until = {f"{self.column}__lt": latest(self.given("until"))} if self.given("until") else {}
        return ({f"{self.column}__gte": max(since)} if since else {}) | until

    def choices(self, changelist: Any) -> Iterator[Choice]:
        spans = {
            "hour": _("Last hour"),
            "day": _("Last 24 hours"),
            "week": _("Last 7 days"),
            "month": _("Last 30 days"),
        }
        self.carried_on = self.others(changelist)
        yield self.choice(changelist, _("Any time"), {})
        for span, display in spans.items():
            yield self.choice(changelist, display, {"last": span})

    def form(self) -> Choice:
        """Return what the fields of the form hold."""
        return {
            "from": shown_in_form(self.given("from")),
            "until": shown_in_form(self.given("until")),
            "zone": timezone.get_current_timezone_name(),
        }


class ModifiedFilter(TimeFilter):
    """When a row's current version was written."""

    title = gettext_lazy("last change")
    column = "modified"
