"""Scopes, ids and children of blocks."""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from opaque_keys.edx.asides import AsideUsageKey, AsideUsageKeyV2
from xblock.core import XBlockAside
from xblock.fields import BlockScope
from xblock.plugin import PluginMissingError

from kvstore.cache.base import FieldOwner
from kvstore.keys import ASIDE_FAMILY
from kvstore.storage.scopes import SUPPORTED, ScopeKey, scope_key

Block = Any
"""an XBlock or an aside; XBlock has no type annotations"""


def children(block: Block) -> list[Block]:
    """Return the children that a learner sees: ``get_child_blocks()`` of a dynamic block, otherwise all."""
    if is_dynamic(block):
        return list(block.get_child_blocks())
    return list(block.get_children())


def is_dynamic(block: Block) -> bool:
    """Return whether the children depend on the learner's state of the block."""
    dynamic = getattr(block, "has_dynamic_children", None)
    return callable(dynamic) and hasattr(block, "get_child_blocks") and dynamic() is True


def descendants(
    roots: Iterable[tuple[Block, int | None]], block_filter: Callable[[Block], bool]
) -> tuple[list[Block], list[tuple[Block, int | None]]]:
    """Return the roots and descendants that pass the filter, down to each root's depth (None: all).

    Descendants of a block that fails the filter are included. The second list has the dynamic blocks with the depth
    below each; their children can be determined after their state is loaded.
    """
    found: list[Block] = []
    dynamic: list[tuple[Block, int | None]] = []
    queue = deque(roots)
    while queue:
        block, levels = queue.popleft()
        if block_filter(block):
            found.append(block)
        if levels is not None and levels <= 0:
            continue
        if is_dynamic(block):
            dynamic.append((block, levels))
        else:
            queue.extend((child, None if levels is None else levels - 1) for child in children(block))
    return found, dynamic


def dynamic_children(dynamic: Iterable[tuple[Block, int | None]]) -> list[tuple[Block, int | None]]:
    """Return the children of dynamic blocks with the depth below each. The state of the blocks must be loaded."""
    return [(child, None if levels is None else levels - 1) for block, levels in dynamic for child in children(block)]


class BlockKind(NamedTuple):
    """A type of blocks or asides, and the scopes of its fields."""

    block_type: str
    family: str
    scopes: frozenset[ScopeKey]

    def owners(self, scope: ScopeKey, usage_ids: Iterable[Any]) -> Iterator[FieldOwner]:
        """Yield the owners of the fields that these blocks have in one scope."""
        if scope[1] == BlockScope.USAGE:
            for usage_id in usage_ids:
                yield FieldOwner(usage_id, self.family)
        else:
            yield FieldOwner(self.block_type if scope[1] == BlockScope.TYPE else None, self.family)


def kinds(blocks: Iterable[Block], aside_types: Sequence[str]) -> dict[BlockKind, list[Any]]:
    found: dict[BlockKind, list[Any]] = defaultdict(list)
    asides = [BlockKind(aside_type, ASIDE_FAMILY, _aside_scopes(aside_type)) for aside_type in aside_types]
    # The fields by id: a class has one mapping. The value contains it too, so that no other object gets its id.
    seen: dict[tuple[str, str, int], tuple[Any, list[Any]]] = {}
    for block in blocks:
        ids, fields = block.scope_ids, block.fields
        kind = ids.block_type, block.entry_point, id(fields)
        if kind not in seen:
            seen[kind] = fields, found[BlockKind(*kind[:2], _scopes_of(fields))]
        seen[kind][1].append(ids.usage_id)
        if asides and not isinstance(ids.usage_id, AsideUsageKey):
            for aside in asides:
                # The key class is abstract and untyped for the type checker only.
                aside_key = AsideUsageKeyV2(ids.usage_id, aside.block_type)  # type: ignore[abstract, no-untyped-call]
                found[aside].append(aside_key)
    return found


def _aside_scopes(aside_type: str) -> frozenset[ScopeKey]:
    try:
        return _scopes_of(XBlockAside.load_class(aside_type).fields)
    except PluginMissingError:
        # The class of an aside that is not a plugin is unknown, so it may have fields in every scope.
        return frozenset(SUPPORTED)


def _scopes_of(fields: Any) -> frozenset[ScopeKey]:
    return frozenset(scope_key(field.scope) for field in fields.values()).intersection(SUPPORTED)
