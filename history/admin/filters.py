"""The filters that only lists of entries have."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from history.conf import ALL_BLOCK_TYPES, conf
from history.models import Entry
from kvstore.admin.filters import Choice, ChoiceFilter, TimeFilter, TypeFilter


class CreatedFilter(TimeFilter):
    """When a version was written."""

    column = "created"


class ActionFilter(ChoiceFilter):
    """What was done."""

    title = gettext_lazy("action")
    parameters = ("action",)

    def options(self) -> dict[str, Any]:
        return {str(value): label for value, label in Entry.Action.choices}

    def asked(self) -> dict[str, Any]:
        return {"action": self.chosen()} if self.chosen() else {}


class RecordedTypeFilter(TypeFilter):
    """The block's type: one of those that are recorded, where the settings name them."""

    def __init__(self, *args: Any) -> None:
        types = set(conf.HISTORY_BLOCK_TYPES)
        self.types = [] if ALL_BLOCK_TYPES in types else sorted(types)
        if self.types:
            self.template = "admin/filter.html"
        super().__init__(*args)

    def choices(self, changelist: Any) -> Any:
        return self._links(changelist) if self.types else super().choices(changelist)

    def _links(self, changelist: Any) -> list[Choice]:
        # One that is asked for and no longer recorded is shown too: its entries are still there.
        asked = {self.given("type")} - {"", *self.types}
        names = {"": _("All"), **{name: name for name in [*self.types, *asked]}}
        return [self.choice(changelist, display, {"type": name}) for name, display in names.items()]
