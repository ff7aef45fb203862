"""A course as one page: its rendered blocks, their styles and scripts, and the present score."""

from collections.abc import Iterator
from functools import cached_property

from django.utils.safestring import SafeString, mark_safe
from web_fragments.fragment import Fragment, FragmentResource
from xblock.core import XBlock

from kvstore.api import ScoresClient


class CoursePage:
    """The template's view of a course. Blocks are rendered once, when the page is created."""

    def __init__(self, root: XBlock) -> None:
        self._root = root
        self._fragment: Fragment = root.render("student_view")

    @property
    def title(self) -> str:
        """The course's name."""
        return str(self._root.display_name)

    @property
    def body(self) -> SafeString:
        """The blocks, in order. Each escapes the text of learners and authors."""
        html: str = self._fragment.body_html()
        return mark_safe(html)  # noqa: S308

    @property
    def head(self) -> SafeString:
        """The styles of the blocks."""
        return self._resources("head")

    @property
    def foot(self) -> SafeString:
        """The scripts of the blocks."""
        return self._resources("foot")

    @cached_property
    def earned(self) -> float:
        """Points earned so far, from the scores in the store."""
        keys = [block.scope_ids.usage_id for block in self._scored_blocks]
        runtime = self._root.runtime
        scores = ScoresClient.create_for_locations(runtime.course.key, runtime.user_id, keys)
        return sum(score.correct or 0 for score in map(scores.get, keys) if score)

    @property
    def possible(self) -> int:
        """Points that all scored blocks can earn."""
        return sum(block.max_score() for block in self._scored_blocks)

    @cached_property
    def _scored_blocks(self) -> list[XBlock]:
        return [block for block in _walk(self._root) if getattr(block, "has_score", False)]

    def _resources(self, placement: str) -> SafeString:
        wanted = [r for r in self._fragment.resources if r.placement == placement and _is_ours(r)]
        return mark_safe("\n".join(Fragment.resource_to_html(r) for r in wanted))  # noqa: S308


def _walk(block: XBlock) -> Iterator[XBlock]:
    yield block
    for child in block.get_children():
        yield from _walk(child)


def _is_ours(resource: FragmentResource) -> bool:
    """Return whether this host serves the resource. Other hosts must not learn of a visit."""
    is_own_path = resource.data.startswith("/") and not resource.data.startswith("//")
    return resource.kind == "text" or is_own_path
