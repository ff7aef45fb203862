"""What the store asks of blocks: their scopes, their ids and their children."""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from opaque_keys.edx.asides import AsideUsageKey, AsideUsageKeyV2
from xblock.core import XBlockAside
from xblock.fields import BlockScope
from xblock.plugin import PluginMissingError

from kvstore.keys import ASIDE_FAMILY
from kvstore.storage.scopes import SUPPORTED, ScopeKey, scope_key

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


def dynamic_children(dynamic: Iterable[tuple[Block, int | None]]) -> list[tuple[Block, int | None]]:
    """Return the children that dynamic blocks, their state loaded, name; with the depth left for each."""
    return [(child, None if levels is None else levels - 1) for block, levels in dynamic for child in children(block)]


class FieldOwner(NamedTuple):
    """What fields belong to, as XBlock's key says it: a usage key, a block type or nothing, and the family."""

    block_scope_id: Any
    block_family: str


class BlockKind(NamedTuple):
    """What blocks of one type, or asides, have in common: the places that they declare fields in."""

    block_type: str
    family: str
    places: frozenset[ScopeKey]

    def owners(self, where: ScopeKey, usage_ids: Iterable[Any]) -> list[FieldOwner]:
        """Return what the fields of these blocks in one place belong to."""
        if where[1] == BlockScope.USAGE:
            return [FieldOwner(usage_id, self.family) for usage_id in usage_ids]
        return [FieldOwner(self.block_type if where[1] == BlockScope.TYPE else None, self.family)]


def kinds(blocks: Iterable[Block], aside_types: Sequence[str]) -> dict[BlockKind, list[Any]]:
    """Return the usage ids of blocks, and of their asides, by kind."""
    found: dict[BlockKind, list[Any]] = defaultdict(list)
    places = _Places()
    asides = [BlockKind(aside_type, ASIDE_FAMILY, _aside_places(aside_type)) for aside_type in aside_types]
    for block in blocks:
        ids = block.scope_ids
        found[BlockKind(ids.block_type, block.entry_point, places.of(block.fields))].append(ids.usage_id)
        if not isinstance(ids.usage_id, AsideUsageKey):
            for aside in asides:
                # The key classes are abstract and untyped on paper, and made like this everywhere.
                aside_key = AsideUsageKeyV2(ids.usage_id, aside.block_type)  # type: ignore[abstract, no-untyped-call]
                found[aside].append(aside_key)
    return found


class _Places:
    """The places that fields are declared in, looked up once for each class of blocks."""

    def __init__(self) -> None:
        # By identity, each with the fields themselves, so that no others can come to have it.
        self._known: dict[int, tuple[Any, frozenset[ScopeKey]]] = {}

    def of(self, fields: Any) -> frozenset[ScopeKey]:
        """Return the places of these fields, by name."""
        known = self._known.get(id(fields))
        if known is None:
            known = self._known[id(fields)] = fields, _declared(fields)
        return known[1]


def _aside_places(aside_type: str) -> frozenset[ScopeKey]:
    try:
        return _declared(XBlockAside.load_class(aside_type).fields)
    except PluginMissingError:
        # A runtime may make asides that are no plugins; any of their fields may be stored.
        return frozenset(SUPPORTED)


def _declared(fields: Any) -> frozenset[ScopeKey]:
    return frozenset(scope_key(field.scope) for field in fields.values()).intersection(SUPPORTED)
