"""What a page shows of one version: who, when and why, and what changed since the version before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from history.admin.block.pages import BlockPagesAdmin, entry_url, key_of, page_url
from history.comparison.diff import Difference, diff
from history.comparison.flags import Flag, flags_for
from history.comparison.json_diff import FieldChange, Kind
from history.models import Entry, PendingHistory, StudentModuleHistory
from history.reading.sizes import light
from kvstore.admin.rendering import score_text
from kvstore.staff.text import escape_unprintable, shorten
from kvstore.staff.users import display_name

COMPARED_BYTES = 200_000
"""a larger state is compared on a page of its own"""

SHOWN_CHANGES = 5
SHOWN_FIELDS = 12
SHOWN_NAME = 60
"""characters"""

NOT_COMPARED = Difference((), 0, ())
OF_NEIGHBOURS = (Flag.GAP, Flag.SAME_SECOND)
DELETED = StudentModuleHistory.Action.DELETED


@dataclass(frozen=True)
class VersionSummary:
    """A version beside the one before it."""

    entry: Any
    url: str
    timeline_id: str
    """row and version, as addresses have them"""
    actor: str
    is_waiting: bool
    score_before: str
    score: str
    marks: tuple[Flag, ...]
    difference: Difference | None
    """None where one of the two is too large to compare here, or there is nothing to compare with"""
    is_too_large: bool
    older_url: str
    """of the comparison with the version before"""

    @property
    def is_deletion(self) -> bool:
        """Whether the row was deleted."""
        return bool(self.entry.action == DELETED)

    @property
    def changes(self) -> Sequence[FieldChange]:
        """The first changes."""
        return self.difference.changes[:SHOWN_CHANGES] if self.difference else ()

    @property
    def more_changes(self) -> int:
        """How many there are beside the first."""
        return self.difference.count - len(self.changes) if self.difference else 0

    @property
    def fields(self) -> Sequence[tuple[str, Kind]]:
        """The names of the first fields that changed, and what became of each."""
        changed = self.difference.changed_fields().items() if self.difference else ()
        return [(shorten(name, SHOWN_NAME), kind) for name, kind in islice(changed, SHOWN_FIELDS)]

    @property
    def reason(self) -> str:
        """Why it was written."""
        return escape_unprintable(self.entry.reason)

    @property
    def request_id(self) -> str:
        """The request that wrote it."""
        return escape_unprintable(self.entry.request_id)


def with_comparable_state(entries: Any) -> Any:
    """Choose what is loaded of entries that are shown one after the other."""
    return light(entries, COMPARED_BYTES)


def summarize(
    model_admin: BlockPagesAdmin, entries: Sequence[Any], names: Mapping[int, str], count: int
) -> list[VersionSummary]:
    """Return the first ``count`` of ``entries``, newest first, each beside the one that follows.

    The entries were chosen as :func:`with_comparable_state` says, or as :func:`history.reading.sizes.light` does.
    """
    older = [*entries[1:], None]
    return [summarize_version(model_admin, new, old, names) for new, old in zip(entries[:count], older, strict=False)]


def summarize_version(
    model_admin: BlockPagesAdmin, entry: Any, older: Any, names: Mapping[int, str], *, is_adjacent: bool = True
) -> VersionSummary:
    """Return a version beside the one before it, if there is one, or beside an earlier one unless ``is_next``."""
    before = older
    if is_adjacent and older is not None and older.student_module_id != entry.student_module_id:
        # A row that was made anew began with nothing; what was before it, its deletion says.
        before = None
    is_too_large = any(one is not None and one.size is not None and one.small_state is None for one in (entry, before))
    for one in filter(None, (entry, before)):
        one.state = one.small_state
    # Where recording began later than the state there is no telling what the first entry changed.
    is_comparable = not is_too_large and (before is not None or entry.version == 1)
    difference = diff(before.state if before else None, entry.state) if is_comparable else None
    noticed = flags_for(entry, older, NOT_COMPARED if difference is None else difference)
    return VersionSummary(
        entry=entry,
        url=entry_url(model_admin, "version", entry),
        timeline_id=key_of(entry),
        actor="" if entry.actor_id is None else display_name(entry.actor_id, names),
        is_waiting=isinstance(entry, PendingHistory),
        score_before=score_text(before) if before else "",
        score=score_text(entry),
        marks=tuple(mark for mark in noticed if is_adjacent or mark not in OF_NEIGHBOURS),
        difference=difference,
        is_too_large=is_too_large,
        older_url=comparison_url(model_admin, older, entry) if older else "",
    )


def comparison_url(model_admin: BlockPagesAdmin, one: Entry, other: Entry) -> str:
    """Return the address of the comparison of two entries of a timeline."""
    base = page_url(model_admin, "compare", other.student_module_id)
    keys = [key_of(entry) for entry in (one, other)]
    return f"{base}?a={keys[0]}&b={keys[1]}"
