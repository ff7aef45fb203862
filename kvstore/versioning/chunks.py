"""Long sequences in pieces that one statement can take."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

ItemT = TypeVar("ItemT")


def chunked(items: Sequence[ItemT], size: int) -> Iterator[list[ItemT]]:
    """Yield the items in their order, in lists of at most ``size``."""
    for start in range(0, len(items), size):
        yield list(items[start : start + size])
