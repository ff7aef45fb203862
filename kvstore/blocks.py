"""What the store asks of blocks: their scopes, their ids and their children."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from opaque_keys.edx.asides import AsideUsageKey, AsideUsageKeyV2
from xblock.core import XBlockAside
from xblock.fields import BlockScope
from xblock.plugin import PluginMissingError

from kvstore.keys import ASIDE_FAMILY, unversioned
from kvstore.scopes import SUPPORTED, Place, place
from kvstore.scopes.base import Owner

Block = Any
"""An XBlock or an aside; XBlock publishes no types."""


def children(block: Block) -> list[Block]:
    """Return the children whose state a learner's request needs.

    A block that shows each learner only some of its children may say which with ``get_child_blocks()``, where
    ``has_dynamic_children()`` is true.
    """
    if is_dynamic(block):
        return list(block.get_child_blocks())
    return list(block.get_children())


def is_dynamic(block: Block) -> bool:
    """Return whether the block itself must be asked, with its own state, which children a learner has."""
    dynamic = getattr(block, "has_dynamic_children", None)
    return callable(dynamic) and hasattr(block, "get_child_blocks") and dynamic() is True


def descendants(
    roots: Iterable[tuple[Block, int | None]], block_filter: Callable[[Block], bool]
) -> tuple[list[Block], list[tuple[Block, int | None]]]:
    """Return the roots and their descendants that pass the filter, down to each root's depth (None: all).

    A block that fails the filter is passed over, its descendants are not. The second list holds the dynamic blocks
    reached, with the depth left below each: they can be asked for their children when their own state is loaded.
    """
    found: list[Block] = []
    dynamic: list[tuple[Block, int | None]] = []
    waiting = deque(roots)
    while waiting:
        block, levels = waiting.popleft()
        if block_filter(block):
            found.append(block)
        if levels is not None and levels <= 0:
            continue
        if is_dynamic(block):
            dynamic.append((block, levels))
        else:
            waiting.extend((child, None if levels is None else levels - 1) for child in children(block))
    return found, dynamic


def chosen_children(dynamic: Iterable[tuple[Block, int | None]]) -> list[tuple[Block, int | None]]:
    """Return the children that dynamic blocks, their state loaded, name; with the depth left for each."""
    return [(child, None if levels is None else levels - 1) for block, levels in dynamic for child in children(block)]


def owners(block: Block, aside_types: Sequence[str]) -> Iterator[tuple[Place, Owner, bool]]:
    """Yield what the fields of a block and of its asides belong to in each place, and whether any is declared."""
    ids = block.scope_ids
    yield from _owners(ids.usage_id, ids.block_type, block.entry_point, _places(block.fields))
    if isinstance(ids.usage_id, AsideUsageKey):
        return
    for aside_type in aside_types:
        aside_key = AsideUsageKeyV2(ids.usage_id, aside_type)  # type: ignore[abstract, no-untyped-call]
        yield from _owners(aside_key, aside_type, ASIDE_FAMILY, _aside_places(aside_type))


def _owners(usage_id: Any, block_type: str, family: str, declared: set[Place]) -> Iterator[tuple[Place, Owner, bool]]:
    for where in SUPPORTED:
        scope_id = {BlockScope.USAGE: usage_id, BlockScope.TYPE: block_type, BlockScope.ALL: None}[where[1]]
        yield where, Owner(unversioned(scope_id), family), where in declared


def _aside_places(aside_type: str) -> set[Place]:
    try:
        return _places(XBlockAside.load_class(aside_type).fields)
    except PluginMissingError:
        # A runtime may make asides that are no plugins; any of their fields may be stored.
        return set(SUPPORTED)


def _places(fields: Any) -> set[Place]:
    found = (place(field.scope) for field in fields.values())
    return {where for where in found if where is not None}
