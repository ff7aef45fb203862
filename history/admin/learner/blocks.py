"""The rows of a learner's page: one for each block of a course."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from history.admin.learner.entries import Losses, losses_in
from history.comparison.flags import Flag
from history.conf import is_recorded
from history.querysets import on_primary
from kvstore.admin.rendering import score_text
from kvstore.models import StudentModule
from kvstore.signals import DELETED

PAGE_SIZE = 50
"""blocks on a page"""
MAX_DELETED = 50
"""deleted rows on a page"""


class RowPage(NamedTuple):
    """The present rows of a page, in the order of usage keys."""

    rows: list[Any]
    next_key: str
    """the usage key that the next page follows; empty on the last page"""


@dataclass(frozen=True)
class Block:
    """A block of a learner, now or at a given time."""

    usage_key: str
    block_id: str
    block_type: str
    row_id: int | None
    """None if the learner had no recorded state yet"""
    version: int = 0
    score: str = ""
    changed: datetime | None = None
    actor_id: int | None = None
    is_deleted: bool = False
    entry: Any = None
    """of the version; None if the history does not contain it"""
    losses: Losses = field(default_factory=lambda: Losses((), None))

    @property
    def flags(self) -> tuple[Flag, ...]:
        return self.losses.flags

    @property
    def is_recorded(self) -> bool:
        """Whether new versions of the block get an entry."""
        return is_recorded(self.block_type)


def rows_after(student_id: int, course_id: str, after: str | None) -> RowPage:
    """Return the learner's rows of a course with usage keys above ``after``. Raises UnusableKey."""
    rows = _rows(student_id, course_id)
    rows = rows if after is None else rows.filter(module_state_key__gt=after)
    # The order of the unique index.
    found = list(rows.order_by("module_state_key", "course_id")[: PAGE_SIZE + 1])
    more = len(found) > PAGE_SIZE
    return RowPage(found[:PAGE_SIZE], str(found[PAGE_SIZE - 1].module_state_key) if more else "")


def without_row(student_id: int, course_id: str, keys: Iterable[str]) -> list[str]:
    """Return those usage keys, in order, of which the learner has no row now."""
    wanted = sorted(set(keys))
    present = {row.address[1] for row in _rows(student_id, course_id).filter(module_state_key__in=wanted)}
    return [key for key in wanted if key not in present]


def present_block(row: Any, versions: Sequence[Any]) -> Block:
    """Return a block as it is now, from its row and its newest versions."""
    entry = next((one for one in versions if (one.student_module_id, one.version) == (row.pk, row.version)), None)
    return Block(
        usage_key=str(row.module_state_key),
        block_id=_block_id(row.module_state_key),
        block_type=row.module_type,
        row_id=row.pk,
        version=row.version,
        score=score_text(row),
        changed=row.modified,
        actor_id=entry.actor_id if entry else None,
        entry=entry,
        losses=losses_in(versions),
    )


def recorded_block(key: Any, block_type: str, versions: Sequence[Any]) -> Block:
    """Return a block as its newest given version, from the history alone."""
    if not versions:
        return Block(str(key), _block_id(key), block_type, None)
    entry = versions[0]
    return Block(
        usage_key=str(key),
        block_id=_block_id(key),
        block_type=block_type,
        row_id=entry.student_module_id,
        version=entry.version,
        score=score_text(entry),
        changed=entry.created,
        actor_id=entry.actor_id,
        is_deleted=entry.action == DELETED,
        entry=entry,
        losses=losses_in(versions),
    )


def deleted_blocks(keys: Sequence[str], versions: Mapping[str, Sequence[Any]]) -> list[Block]:
    """Return the blocks without a row, from the history."""
    found = (versions[key] for key in keys if versions.get(key))
    return [recorded_block(of_block[0].module_state_key, of_block[0].module_type, of_block) for of_block in found]


def _rows(student_id: int, course_id: str) -> Any:
    return on_primary(StudentModule).filter(student_id=student_id, course_id=course_id).defer("state")


def _block_id(key: Any) -> str:
    return str(getattr(key, "block_id", key))
