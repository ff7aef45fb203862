"""A passage to read, at a text size that the learner chooses once for every passage."""

from typing import Any

from django.template.loader import render_to_string
from web_fragments.fragment import Fragment
from xblock.core import XBlock
from xblock.fields import List, Scope, String

from demo.blocks.payload import chosen

TEXT_SIZES = {"standard": "Standard", "large": "Large", "larger": "Larger"}


class ReadingBlock(XBlock):
    """Paragraphs of text. The size is a preference, which applies to all blocks of this type."""

    display_name = String(scope=Scope.settings, default="Reading")
    paragraphs = List(scope=Scope.content)

    text_size = String(scope=Scope.preferences, default="standard", help="a key of TEXT_SIZES")

    def student_view(self, context: Any = None) -> Fragment:
        """Show the passage at the learner's size."""
        values = {"block": self, "sizes": TEXT_SIZES, "html_id": self.scope_ids.usage_id.block_id}
        fragment = Fragment(render_to_string("demo/blocks/reading.html", values))
        fragment.add_javascript_url(self.runtime.resource_url("demo/blocks/reading.js"))
        fragment.initialize_js("ReadingBlock")
        return fragment

    @XBlock.json_handler
    def choose_size(self, payload: Any, suffix: str = "") -> dict[str, str]:
        """Store a text size; answer 400 to an invalid one."""
        self.text_size = chosen(payload, TEXT_SIZES)
        return {"size": self.text_size}
