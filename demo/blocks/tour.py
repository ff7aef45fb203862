"""A short tour of the page, shown to each person until they close it."""

from typing import Any

from django.template.loader import render_to_string
from web_fragments.fragment import Fragment
from xblock.core import XBlock
from xblock.fields import Boolean, List, Scope, String


class TourBlock(XBlock):
    """An introduction. Closing it applies to the learner in every course."""

    display_name = String(scope=Scope.settings, default="Welcome")
    steps = List(scope=Scope.content)

    tour_seen = Boolean(scope=Scope.user_info, default=False)

    def student_view(self, context: Any = None) -> Fragment:
        """Show the steps, or nothing if the learner closed them."""
        if self.tour_seen:
            return Fragment()
        values = {"block": self, "html_id": self.scope_ids.usage_id.block_id}
        fragment = Fragment(render_to_string("demo/blocks/tour.html", values))
        fragment.add_javascript_url(self.runtime.resource_url("demo/blocks/tour.js"))
        fragment.initialize_js("TourBlock")
        return fragment

    @XBlock.json_handler
    def close(self, payload: Any, suffix: str = "") -> dict[str, bool]:
        """Store that the learner closed the tour."""
        self.tour_seen = True
        return {"seen": True}
