"""The XBlock runtime of the demo: it supplies blocks with fields, addresses and the learner."""

from typing import Any

from django.contrib.auth.models import User
from django.templatetags.static import static
from django.urls import reverse
from opaque_keys.edx.asides import AsideUsageKeyV2
from opaque_keys.edx.keys import UsageKey
from web_fragments.fragment import Fragment
from xblock.core import XBlock, XBlockAside
from xblock.exceptions import NoSuchUsage
from xblock.field_data import SplitFieldData
from xblock.fields import Scope
from xblock.runtime import KeyValueStore, KvsFieldData, Runtime

from demo.authored import AuthoredFieldData
from demo.course import Course
from demo.keys import OpaqueKeys
from demo.registry import load_block_class
from demo.services import LearnerService
from demo.wrapping import wrapped
from kvstore.api import DjangoKeyValueStore, FieldDataCache, set_score

AUTHORED_SCOPES = (Scope.content, Scope.settings, Scope.parent, Scope.children)
LEARNER_SCOPES = (Scope.user_state, Scope.user_state_summary, Scope.preferences, Scope.user_info)


class CourseRuntime(Runtime):
    """One learner in one course, for one request.

    Authored fields come from the course and learners' fields from the store. A field of any other
    scope raises InvalidScopeError.
    """

    def __init__(self, course: Course, learner: User) -> None:
        keys = OpaqueKeys()
        super().__init__(id_reader=keys, id_generator=keys, services={"user": LearnerService(learner)})
        self.course = course
        self.learner = learner
        self._authored = AuthoredFieldData(course)
        self._services["field-data"] = SplitFieldData(dict.fromkeys(AUTHORED_SCOPES, self._authored))

    @property
    def user_id(self) -> int:
        """The learner's id, as keys of user-scoped fields carry it."""
        return self.learner.pk

    def keep_state_in(self, store: KeyValueStore) -> None:
        """Read and write learners' fields in ``store`` from now on."""
        learners_fields = KvsFieldData(store)
        self._services["field-data"] = SplitFieldData(
            dict.fromkeys(AUTHORED_SCOPES, self._authored) | dict.fromkeys(LEARNER_SCOPES, learners_fields)
        )

    def load_block_type(self, block_type: str) -> type[XBlock]:
        """Return the class of a block type, or raise PluginMissingError."""
        return load_block_class(block_type)

    def get_block(self, usage_id: UsageKey, for_parent: XBlock | None = None) -> XBlock:
        """Return a block of this course, or raise NoSuchUsage."""
        if usage_id not in self.course:
            raise NoSuchUsage(str(usage_id))
        return super().get_block(usage_id, for_parent)

    def get_aside(self, aside_usage_id: AsideUsageKeyV2) -> XBlockAside:
        """Return an aside of a block of this course, or raise NoSuchUsage."""
        offered = aside_usage_id.aside_type in self.course.aside_types
        if not offered or aside_usage_id.usage_key not in self.course:
            raise NoSuchUsage(str(aside_usage_id))
        return super().get_aside(aside_usage_id)

    def applicable_aside_types(self, block: XBlock) -> list[str]:
        """Return the types of asides that the course puts on its blocks."""
        return list(self.course.aside_types)

    def handler_url(
        self,
        block: XBlock | XBlockAside,
        handler_name: str,
        suffix: str = "",
        query: str = "",
        thirdparty: bool = False,  # noqa: FBT001, FBT002 - the signature is XBlock's
    ) -> str:
        """Return the address that runs a handler of a block or aside, for this host's learners only."""
        if thirdparty:
            raise NotImplementedError("Handlers here are for people who are signed in.")
        usage_key = str(block.scope_ids.usage_id)
        address = reverse("handler", args=[usage_key, handler_name, *([suffix] if suffix else [])])
        return f"{address}?{query}" if query else address

    def resource_url(self, resource: str) -> str:
        """Return the address of one of the host's static files."""
        return static(resource)

    def local_resource_url(self, block: XBlock | XBlockAside, uri: str) -> str:
        """Return the address of a public file of a block's package."""
        return reverse("resource", args=[block.entry_point, block.scope_ids.block_type, uri])

    def publish(self, block: XBlock, event_type: str, event_data: dict[str, Any]) -> None:
        """Store a ``grade`` event as the learner's score on the block; other events are ignored."""
        if event_type == "grade":
            set_score(self.user_id, block.scope_ids.usage_id, event_data["value"], event_data["max_value"])

    def wrap_xblock(self, block: XBlock, view: str, frag: Fragment, context: Any) -> Fragment:
        """Put a rendered block into the element that the page's script looks for."""
        named = {"data-name": block.name} if block.name else {}
        return wrapped(frag, "xblock", {**self._identity(block), **named})

    def wrap_aside(self, block: XBlock, aside: XBlockAside, view: str, frag: Fragment, context: Any) -> Fragment:
        """Put a rendered aside into an element that also names the block it decorates."""
        decorated = {"data-decorates": str(block.scope_ids.usage_id)}
        return wrapped(frag, "xblock-aside", {**self._identity(aside), **decorated})

    def _identity(self, block: XBlock | XBlockAside) -> dict[str, str]:
        usage_key = str(block.scope_ids.usage_id)
        return {
            "data-usage": usage_key,
            "data-block-type": block.scope_ids.block_type,
            "data-handlers": reverse("handler", args=[usage_key, "name"]).removesuffix("name/"),
        }


def open_course(course: Course, learner: User) -> XBlock:
    """Return the course's root block with the learner's state of every block below it, read at once."""
    runtime = CourseRuntime(course, learner)
    root = runtime.get_block(course.root_key)
    cache = FieldDataCache.cache_for_block_descendants(course.key, learner, root, asides=list(course.aside_types))
    runtime.keep_state_in(DjangoKeyValueStore(cache))
    return root


def open_block(course: Course, learner: User, usage_key: UsageKey) -> XBlock | XBlockAside:
    """Return one block, or one aside, with the learner's state of it; raise NoSuchUsage for an unknown block."""
    runtime = CourseRuntime(course, learner)
    aside_key = usage_key if isinstance(usage_key, AsideUsageKeyV2) else None
    block = runtime.get_block(aside_key.usage_key if aside_key else usage_key)
    asides = [aside_key.aside_type] if aside_key else []
    cache = FieldDataCache([block], course.key, learner, asides=asides)
    runtime.keep_state_in(DjangoKeyValueStore(cache))
    return runtime.get_aside(aside_key) if aside_key else block
