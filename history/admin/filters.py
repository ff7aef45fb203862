"""Filters for lists of entries."""

from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from history.admin.changes import FILTERED_FLAGS
from history.comparison.flags import Flag
from history.conf import ALL_BLOCK_TYPES, conf
from history.models import Entry
from kvstore.admin.filters import ChoiceFilter, Link, TimeFilter, TypeFilter


class CreatedFilter(TimeFilter):
    """Filters by the time of the version."""

    column = "created"


class ActionFilter(ChoiceFilter):
    """Filters by the action: created, changed, restored or deleted."""

    title = gettext_lazy("action")
    parameters = ("action",)

    def options(self) -> dict[str, Any]:
        return {str(value): label for value, label in Entry.Action.choices}

    def parse(self) -> dict[str, Any]:
        return {"action": self.selected()} if self.selected() else {}


class FlagFilter(ChoiceFilter):
    """Filters by the flags of a version. It has no lookups: the list compares each version with the previous one."""

    title = gettext_lazy("flag")
    parameters = ("flag",)
    ANY = "any"

    flags: tuple[Flag, ...] = ()
    """the flags of which an entry must have one; empty if the filter is not used or its value is invalid"""

    def options(self) -> dict[str, Any]:
        return {self.ANY: _("Any of these")} | {flag.value: flag.label for flag in FILTERED_FLAGS}

    def parse(self) -> dict[str, Any]:
        value = self.selected()
        if value:
            self.flags = FILTERED_FLAGS if value == self.ANY else (Flag(value),)
        return {}


class RecordedTypeFilter(TypeFilter):
    """Filters by the block's type; offers the types that the setting HISTORY_BLOCK_TYPES lists."""

    def __init__(self, *args: Any) -> None:
        types = set(conf.HISTORY_BLOCK_TYPES)
        self.types = [] if ALL_BLOCK_TYPES in types else sorted(types)
        if self.types:
            self.template = "admin/filter.html"
        super().__init__(*args)

    def links(self, changelist: Any) -> Iterator[Link]:
        if self.types:
            yield self.link(changelist, _("All"))
            # A filtered type that is not in the setting any more still has entries.
            for name in [*self.types, *({self.value("type")} - {"", *self.types})]:
                yield self.link(changelist, name, type=name)
