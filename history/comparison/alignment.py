"""Aligns two sequences of words or lines. The number of steps is limited, so the time is limited for any pair."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

EQUAL, DIFFERENT, UNALIGNED = "equal", "different", "unaligned"

Block = tuple[int, int, int]
"""Equal items: their positions in the older and the newer sequence, and their number"""
Chain = tuple[Block, Any] | None
"""A linked list of blocks, last one first. Complete copies would need more memory."""


class Range(NamedTuple):
    """A part of two sequences.

    ``kind`` is EQUAL, DIFFERENT (with no equal items), or UNALIGNED (the step limit was reached before equal items were
    found).
    """

    kind: str
    i1: int
    i2: int
    j1: int
    j2: int


class StepLimit:
    """The steps that alignments may still make. Several alignments can share one limit."""

    def __init__(self, steps: int) -> None:
        self.left = steps


def align(older: Sequence[str], newer: Sequence[str], limit: StepLimit) -> list[Range]:
    """Return ranges that cover both sequences, in order.

    Common ends are aligned first, then items that occur once in both sequences, then the items between these.
    """
    numbers: dict[str, int] = {}
    # Numbers are compared in constant time, lines are not.
    old, new = ([numbers.setdefault(item, len(numbers)) for item in items] for items in (older, newer))
    head, tail = _common_ends(old, new)
    ranges: list[Range] = []
    i = j = 0
    for block in (
        (0, 0, head),
        *_unique_items(old, new, head, tail),
        (len(old) - tail, len(new) - tail, tail),
        (len(old), len(new), 0),
    ):
        found = _longest_blocks(old[i : block[0]], new[j : block[1]], limit)
        if found is None:
            _extend(ranges, UNALIGNED, block[0], block[1])
        else:
            for i1, j1, length in found:
                _extend(ranges, DIFFERENT, i + i1, j + j1)
                _extend(ranges, EQUAL, i + i1 + length, j + j1 + length)
            _extend(ranges, DIFFERENT, block[0], block[1])
        i, j = block[0] + block[2], block[1] + block[2]
        _extend(ranges, EQUAL, i, j)
    return ranges


def _extend(ranges: list[Range], kind: str, i2: int, j2: int) -> None:
    """Append a range that ends at the given positions, or extend the last one of the same kind."""
    _, _, i1, _, j1 = ranges[-1] if ranges else (kind, 0, 0, 0, 0)
    if (i1, j1) == (i2, j2):
        return
    if ranges and ranges[-1].kind == kind:
        ranges[-1] = ranges[-1]._replace(i2=i2, j2=j2)
    else:
        ranges.append(Range(kind, i1, i2, j1, j2))


def _common_ends(old: list[int], new: list[int]) -> tuple[int, int]:
    shorter = min(len(old), len(new))
    head = tail = 0
    while head < shorter and old[head] == new[head]:
        head += 1
    while tail < shorter - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    return head, tail


def _unique_items(old: list[int], new: list[int], head: int, tail: int) -> list[Block]:
    """Return the longest series of items, in the same order in both, that occur once in both middles."""
    old_end, new_end = len(old) - tail, len(new) - tail
    old_counts, new_counts = Counter(old[head:old_end]), Counter(new[head:new_end])
    positions = {new[j]: j for j in range(head, new_end) if new_counts[new[j]] == 1}
    # The longest increasing subsequence: ``ends`` has the smallest last position for each length.
    ends: list[int] = []
    chains: list[Chain] = []
    for i in range(head, old_end):
        j = positions.get(old[i], -1) if old_counts[old[i]] == 1 else -1
        if j >= 0:
            length = bisect_left(ends, j)
            chain = (i, j, 1), chains[length - 1] if length else None
            ends[length : length + 1] = [j]
            chains[length : length + 1] = [chain]
    return _unchained(chains[-1] if chains else None)


def _longest_blocks(old: list[int], new: list[int], limit: StepLimit) -> list[Block] | None:
    """Return the equal blocks of the shortest edit, found by Myers' algorithm; None if ``limit`` was reached."""
    if not (old and new):
        return []
    # For each diagonal (position in old minus position in new), the furthest position in old and the blocks before it.
    furthest: dict[int, tuple[int, Chain]] = {1: (0, None)}
    for edits in range(len(old) + len(new) + 1):
        for diagonal in range(-edits, edits + 1, 2):
            if diagonal == -edits or (diagonal < edits and furthest[diagonal - 1][0] < furthest[diagonal + 1][0]):
                start, chain = furthest[diagonal + 1]
            else:
                start, chain = furthest[diagonal - 1]
                start += 1
            i = start
            j = begin = i - diagonal
            while i < len(old) and j < len(new) and old[i] == new[j]:
                i += 1
                j += 1
            limit.left -= 1 + i - start
            if limit.left < 0:
                return None
            if i > start:
                chain = (start, begin, i - start), chain
            if i >= len(old) and j >= len(new):
                return _unchained(chain)
            furthest[diagonal] = i, chain
    raise AssertionError("An edit of all items exists.")


def _unchained(chain: Chain) -> list[Block]:
    blocks = []
    while chain is not None:
        block, chain = chain
        blocks.append(block)
    return blocks[::-1]
