"""Blocks for tests: any set of fields, no runtime."""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from opaque_keys.edx.keys import CourseKey, UsageKey
from xblock.core import XBlock
from xblock.fields import Field, Scope, ScopeIds
from xblock.runtime import KeyValueStore

COURSE = CourseKey.from_string("course-v1:Org+Course+Run")
NAMED_SCOPES = (Scope.user_state, Scope.user_state_summary, Scope.preferences, Scope.user_info)
FIELD_SCOPES = NAMED_SCOPES[1:]


def usage(name: str, block_type: str = "problem") -> UsageKey:
    return COURSE.make_usage_key(block_type, name)


def block(
    usage_key: UsageKey | None = None,
    scopes: Iterable[Any] = (),
    children: Iterable[Any] = (),
    **attributes: Any,
) -> SimpleNamespace:
    """Return a block with one field for each of ``scopes``."""
    key = usage_key or usage("block")
    return SimpleNamespace(
        scope_ids=ScopeIds(1, key.block_type, key, key),
        fields={f"field{number}": Field(scope=scope) for number, scope in enumerate(scopes)},
        entry_point=XBlock.entry_point,
        get_children=lambda: list(children),
        **attributes,
    )


def key_for(
    scope: Any, user_id: int | None, name: str = "field", usage_key: UsageKey | None = None
) -> KeyValueStore.Key:
    """Return the key that XBlock makes for a block's field in ``scope``."""
    block_key = usage_key or usage("block")
    where = {
        Scope.user_state: (user_id, block_key),
        Scope.user_state_summary: (None, block_key),
        Scope.preferences: (user_id, block_key.block_type),
        Scope.user_info: (user_id, None),
    }[scope]
    return KeyValueStore.Key(scope, *where, name)
