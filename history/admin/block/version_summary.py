"""Summary of one version for a page: actor, reason, flags, and changes since the previous version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from history.admin.block.pages import entry_url, key_of, page_url
from history.admin.permissions import HistoryAdmin
from history.answers import answer_text
from history.comparison.diff import Difference, diff
from history.comparison.flags import Flag, flags_for
from history.comparison.json_diff import ChangeKind, FieldChange
from history.models import Entry, PendingHistory
from kvstore.admin.rendering import score_text
from kvstore.staff.text import escape_unprintable, shorten
from kvstore.staff.users import display_name

COMPARED_BYTES = 200_000
"""a larger state is compared on the comparison page only"""

SHOWN_CHANGES = 5
SHOWN_FIELDS = 12
SHOWN_NAME = 60
"""characters"""

NO_DIFFERENCE = Difference((), 0, ())
ADJACENT_FLAGS = (Flag.GAP, Flag.SAME_SECOND)
"""flags that apply to consecutive versions only"""


@dataclass(frozen=True)
class VersionSummary:
    """A version, compared with an older one."""

    entry: Any
    url: str
    timeline_id: str
    """the key in an address"""
    actor: str
    is_pending: bool
    score_before: str
    score: str
    flags: tuple[Flag, ...]
    difference: Difference | None
    """None if a state is too large, or the older version is unknown"""
    is_too_large: bool
    older_url: str
    """of the comparison with the older version"""
    answer_before: str
    answer: str
    """the learner's answer in words; empty if no function formats those of the block's type"""

    @property
    def is_deletion(self) -> bool:
        return bool(self.entry.action == Entry.Action.DELETED)

    @property
    def is_readable(self) -> bool:
        """Whether the difference is one of fields and not of stored texts."""
        return self.difference is None or self.difference.readable

    @property
    def changes(self) -> Sequence[FieldChange]:
        return self.difference.changes[:SHOWN_CHANGES] if self.difference else ()

    @property
    def more_changes(self) -> int:
        return self.difference.count - len(self.changes) if self.difference else 0

    @property
    def fields(self) -> Sequence[tuple[str, ChangeKind]]:
        """The names of the first changed fields, and the kind of each change."""
        changed = self.difference.changed_fields().items() if self.difference else ()
        return [(shorten(name, SHOWN_NAME), kind) for name, kind in islice(changed, SHOWN_FIELDS)]

    @property
    def reason(self) -> str:
        return escape_unprintable(self.entry.reason)

    @property
    def request_id(self) -> str:
        return escape_unprintable(self.entry.request_id)


def with_comparable_state(entries: Any) -> Any:
    """Load the states of a list of versions, up to COMPARED_BYTES each."""
    return entries.with_state_up_to(COMPARED_BYTES)


def summarize(
    model_admin: HistoryAdmin, entries: Sequence[Any], names: Mapping[int, str], count: int
) -> list[VersionSummary]:
    """Summarize the first ``count`` of ``entries`` (newest first, from :func:`with_comparable_state`)."""
    older = [*entries[1:], None]
    return [summarize_version(model_admin, new, old, names) for new, old in zip(entries[:count], older, strict=False)]


def summarize_version(
    model_admin: HistoryAdmin, entry: Any, older: Any, names: Mapping[int, str], *, is_adjacent: bool = True
) -> VersionSummary:
    """Compare a version with ``older``: the previous version, or any older one if not ``is_adjacent``."""
    before = older
    if is_adjacent and older is not None and older.student_module_id != entry.student_module_id:
        # A recreated row starts empty; do not compare across the deletion.
        before = None
    is_too_large = any(one is not None and one.size is not None and one.small_state is None for one in (entry, before))
    for one in filter(None, (entry, before)):
        one.state = one.small_state
    # If recording began after the row was created, the changes of the first entry are unknown.
    is_comparable = not is_too_large and (before is not None or entry.version == 1)
    difference = diff(before.state if before else None, entry.state) if is_comparable else None
    flags = flags_for(entry, older, NO_DIFFERENCE if difference is None else difference)
    return VersionSummary(
        entry=entry,
        url=entry_url(model_admin, "version", entry),
        timeline_id=key_of(entry),
        actor="" if entry.actor_id is None else display_name(entry.actor_id, names),
        is_pending=isinstance(entry, PendingHistory),
        score_before=score_text(before) if before else "",
        score=score_text(entry),
        flags=tuple(flag for flag in flags if is_adjacent or flag not in ADJACENT_FLAGS),
        difference=difference,
        is_too_large=is_too_large,
        older_url=_comparison_url(model_admin, older, entry) if older else "",
        answer_before=_answer(before),
        answer=_answer(entry),
    )


def _answer(entry: Any) -> str:
    return answer_text(entry.module_state_key, entry.module_type, entry.state) if entry else ""


def _comparison_url(model_admin: HistoryAdmin, older: Entry, newer: Entry) -> str:
    address = page_url(model_admin, "compare", newer.student_module_id)
    return f"{address}?a={key_of(older)}&b={key_of(newer)}"
