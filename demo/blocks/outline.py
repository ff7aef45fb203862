"""The blocks that contain others: a course and its sections."""

from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import mark_safe
from web_fragments.fragment import Fragment
from xblock.core import XBlock
from xblock.fields import Scope, String


class OutlineBlock(XBlock):
    """Show its children in order, under its title."""

    has_children = True
    template = ""

    display_name = String(scope=Scope.settings, default="")

    def student_view(self, context: Any = None) -> Fragment:
        """Render every child once, from the instances that were loaded with the learner's state."""
        children = [child.render("student_view", context) for child in self.get_children()]
        # Each child escaped its own values; its markup is the block's, not the learner's.
        contents = [mark_safe(child.body_html()) for child in children]  # noqa: S308
        html = render_to_string(self.template, {"block": self, "contents": contents})
        fragment = Fragment(html)
        fragment.add_resources(children)
        return fragment


class CourseBlock(OutlineBlock):
    """The whole course. Its title is the page's, so only its children are shown here."""

    template = "demo/blocks/course.html"


class SectionBlock(OutlineBlock):
    """A titled part of the course, with a one-sentence summary."""

    template = "demo/blocks/section.html"

    summary = String(scope=Scope.settings, default="")
