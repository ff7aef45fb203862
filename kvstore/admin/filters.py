"""Sidebar filters: exact and typed; none queries the database for its choices."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, ClassVar, NamedTuple

from django.contrib import admin
from django.db.models import F, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from opaque_keys.edx.keys import LearningContextKey

from kvstore.exceptions import UnusableKey
from kvstore.keys import MAX_TYPE_LENGTH, checked_name, key_from_text
from kvstore.staff.dates import InvalidFilterValue, earliest, input_value, latest

Link = dict[str, Any]
"""a choice, as Django's filter template reads it"""


class Input(NamedTuple):
    """An input of a filter's form."""

    name: str
    label: Any
    value: str
    type: str = "text"
    example: str = ""


class Filter(ABC, admin.ListFilter):
    """A filter that provides lookups, or a ``problem``: a sentence for staff about an invalid value."""

    parameters: ClassVar[tuple[str, ...]]
    """the parameters of the address that this filter reads"""

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        for name in self.parameters:
            if name in params:
                self.used_parameters[name] = params.pop(name)[-1].strip()
        self.problem = ""
        self.lookups: dict[str, Any] = {}
        try:
            self.lookups = self.parse()
        except InvalidFilterValue as error:
            self.problem = str(error)

    @property
    def parameter_name(self) -> str:
        """The first parameter, which themes of the admin read as they read that of a SimpleListFilter."""
        return self.parameters[0]

    @abstractmethod
    def parse(self) -> dict[str, Any]:
        """Return the lookups of the parameters. Raises InvalidFilterValue."""

    def value(self, name: str) -> str:
        """Return the value of a parameter, or an empty text."""
        return str(self.used_parameters.get(name, ""))

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str | None]:
        return list(self.parameters)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.none() if self.problem else queryset.filter(**self.lookups)

    def choices(self, changelist: Any) -> Iterator[Link]:
        self.hidden_inputs = [(name, text) for name, text in changelist.params.items() if name not in self.parameters]
        return self.links(changelist)

    def links(self, changelist: Any) -> Iterator[Link]:
        yield from ()

    def inputs(self) -> tuple[Input, ...]:
        return ()

    def link(self, changelist: Any, display: str, **parameters: str) -> Link:
        """Return a link that sets this filter to ``parameters``."""
        values = {name: parameters.get(name) for name in self.parameters}
        return {
            "selected": all(self.value(name) == (value or "") for name, value in values.items()),
            "query_string": changelist.get_query_string(values),
            "display": display,
        }


class TextFilter(Filter):
    """A filter with one text input."""

    template = "admin/xblock_kvstore/form_filter.html"
    example: ClassVar[str]

    def inputs(self) -> tuple[Input, ...]:
        (name,) = self.parameters
        return (Input(name, self.title, self.value(name), example=self.example),)


class ChoiceFilter(Filter):
    """A filter with a fixed list of choices."""

    @abstractmethod
    def options(self) -> dict[str, Any]:
        """Return the labels of the choices by value of the parameter."""

    def links(self, changelist: Any) -> Iterator[Link]:
        yield self.link(changelist, _("All"))
        for value, display in self.options().items():
            yield self.link(changelist, display, **{self.parameters[0]: value})

    def selected(self) -> str:
        """Return the selected value, or an empty text. Raises InvalidFilterValue."""
        value = self.value(self.parameters[0])
        if value and value not in self.options():
            raise InvalidFilterValue(
                _("%(value)r is not a choice of the filter by %(title)s.") % {"value": value[:100], "title": self.title}
            )
        return value


class CourseFilter(TextFilter):
    """Filters by the key of the learning context."""

    title = gettext_lazy("course")
    parameters = ("course",)
    example = "course-v1:Org+Course+Run"

    def parse(self) -> dict[str, Any]:
        # A plus sign that was not encoded arrives as a space, which keys cannot contain.
        text = self.value("course").replace(" ", "+")
        try:
            return {"course_id": key_from_text(text, LearningContextKey)} if text else {}
        except UnusableKey as error:
            raise InvalidFilterValue(
                _("%(text)r is not the key of a course; an example is %(example)s.")
                % {"text": text[:200], "example": self.example}
            ) from error


class TypeFilter(TextFilter):
    """Filters by the block's type."""

    title = gettext_lazy("block type")
    parameters = ("type",)
    example = "problem"

    def parse(self) -> dict[str, Any]:
        text = self.value("type")
        try:
            return {"module_type": checked_name(text, "block type", MAX_TYPE_LENGTH)} if text else {}
        except UnusableKey as error:
            raise InvalidFilterValue(_("%(text)r is not a block type.") % {"text": text[:100]}) from error


class GradeFilter(ChoiceFilter):
    """Filters by the presence and the value of the grade."""

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

    def parse(self) -> dict[str, Any]:
        return self.LOOKUPS[self.selected()]


class TimeFilter(Filter):
    """Filters by the time of writing: a span until now, or between two moments."""

    template = "admin/xblock_kvstore/form_filter.html"
    title = gettext_lazy("time")
    parameters = ("last", "from", "until")
    column: ClassVar[str]
    SPANS: ClassVar[dict[str, tuple[Any, timedelta]]] = {
        "hour": (gettext_lazy("Last hour"), timedelta(hours=1)),
        "day": (gettext_lazy("Last 24 hours"), timedelta(days=1)),
        "week": (gettext_lazy("Last 7 days"), timedelta(days=7)),
        "month": (gettext_lazy("Last 30 days"), timedelta(days=30)),
    }

    def parse(self) -> dict[str, Any]:
        last = self.value("last")
        if last and last not in self.SPANS:
            raise InvalidFilterValue(_("%(text)r is not a time span.") % {"text": last[:100]})
        since = [earliest(self.value("from"))] if self.value("from") else []
        since += [timezone.now() - self.SPANS[last][1]] if last else []
        until = {f"{self.column}__lt": latest(self.value("until"))} if self.value("until") else {}
        return ({f"{self.column}__gte": max(since)} if since else {}) | until

    def links(self, changelist: Any) -> Iterator[Link]:
        yield self.link(changelist, _("Any time"))
        for span, (display, _duration) in self.SPANS.items():
            yield self.link(changelist, display, last=span)

    def inputs(self) -> tuple[Input, ...]:
        zone = timezone.get_current_timezone_name()
        labels = {"from": _("From (%(zone)s)") % {"zone": zone}, "until": _("Until (%(zone)s)") % {"zone": zone}}
        return tuple(
            Input(name, label, input_value(self.value(name)), "datetime-local") for name, label in labels.items()
        )


class ModifiedFilter(TimeFilter):
    """Filters by the time of the current version."""

    title = gettext_lazy("last change")
    column = "modified"
