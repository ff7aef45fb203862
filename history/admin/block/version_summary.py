"""Summary of a version, or of the versions of a request, for a page: actor, reason, flags, changes, and links."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from history.admin.block.pages import entry_url, key_of, page_url, with_grade
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
SHOWN_NAMES = 3
"""actors, and reasons, of one step"""

NO_DIFFERENCE = Difference((), 0, ())
ADJACENT_FLAGS = {Flag.GAP, Flag.SAME_SECOND}
"""flags that apply to consecutive versions only"""


LOSSES = {Flag.DELETED, Flag.ANSWERS_EMPTIED, Flag.FIELD_REMOVED, Flag.GRADE_DECREASED}
"""flags of a step that removed state or grade"""
GRADE_LOSSES = {Flag.DELETED, Flag.GRADE_DECREASED}


class VersionLink(NamedTuple):
    """A version with the addresses of its pages."""

    entry: Any
    timeline_id: str
    """the key in an address"""
    url: str
    restore_url: str
    """empty for a deletion, which cannot be restored"""
    older_choice_url: str = ""
    """of the timeline with this version as the older one of the pair to compare; empty if it is chosen"""
    newer_choice_url: str = ""


@dataclass(frozen=True)
class VersionSummary:
    """One version, or consecutive versions of one request, compared with an older version."""

    versions: tuple[VersionLink, ...]
    """newest first"""
    actor: str
    """the names of the actors"""
    is_pending: bool
    score_before: str
    score: str
    flags: tuple[Flag, ...]
    difference: Difference | None
    """None if a state is too large, or the older version is unknown"""
    is_too_large: bool
    older_label: str
    """the older version, with its row if that is another one"""
    older_url: str
    """of the comparison with the older version"""
    answer_before: str
    answer: str
    """the learner's answer in words; empty if no function formats those of the block's type"""
    before_loss: VersionLink | None
    """the last version before the loss, if the step removed state or grade"""
    is_continued: bool
    """whether the step contains only the newest versions of the request"""

    @property
    def entry(self) -> Any:
        """The newest version."""
        return self.versions[0].entry

    @property
    def url(self) -> str:
        return self.versions[0].url

    @property
    def timeline_id(self) -> str:
        return self.versions[0].timeline_id

    @property
    def label(self) -> str:
        first, last = self.versions[-1].entry.version, self.entry.version
        if first == last:
            return _("Version %(version)s") % {"version": last}
        return _("Versions %(first)s–%(last)s") % {"first": first, "last": last}  # noqa: RUF001  the dash of ranges

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
        reasons = dict.fromkeys(version.entry.reason for version in self.versions if version.entry.reason)
        return escape_unprintable(" · ".join(islice(reasons, SHOWN_NAMES)))

    @property
    def request_id(self) -> str:
        return escape_unprintable(self.entry.request_id)


def with_comparable_state(entries: Any) -> Any:
    """Load the states of a list of versions, up to COMPARED_BYTES each."""
    return entries.with_state_up_to(COMPARED_BYTES)


def summarize_version(
    model_admin: HistoryAdmin, entry: Any, older: Any, names: Mapping[int, str], *, is_adjacent: bool = True
) -> VersionSummary:
    """Compare a version with ``older``: the previous version, or any older one if not ``is_adjacent``."""
    return summarize_step(model_admin, [entry], older, names, is_adjacent=is_adjacent)


def summarize_step(
    model_admin: HistoryAdmin,
    versions: Sequence[Any],
    older: Any,
    names: Mapping[int, str],
    *,
    is_adjacent: bool = True,
    is_continued: bool = False,
) -> VersionSummary:
    """Compare the newest of ``versions``, consecutive versions of a row, newest first, with ``older``.

    Only the newest and ``older`` need their ``small_state``.
    """
    newest, before = versions[0], older
    if is_adjacent and older is not None and older.student_module_id != newest.student_module_id:
        # A recreated row starts empty; do not compare across the deletion.
        before = None
    is_too_large = any(one is not None and one.size is not None and one.small_state is None for one in (newest, before))
    for one in filter(None, (newest, before)):
        one.state = one.small_state
    # If recording began after the row was created, the changes of the first entry are unknown.
    is_comparable = not is_too_large and (before is not None or versions[-1].version == 1)
    difference = diff(before.state if before else None, newest.state) if is_comparable else None
    flags = _flags(versions, before, NO_DIFFERENCE if difference is None else difference, is_adjacent=is_adjacent)
    links = tuple(_link(model_admin, entry) for entry in versions)
    return VersionSummary(
        versions=links,
        actor=_actors(versions, names),
        is_pending=isinstance(newest, PendingHistory),
        score_before=score_text(before) if before else "",
        score=score_text(newest),
        flags=flags,
        difference=difference,
        is_too_large=is_too_large,
        older_label=_older_label(older, newest) if older else "",
        older_url=_comparison_url(model_admin, older, newest) if older else "",
        before_loss=_before_loss(model_admin, links, before, flags) if is_adjacent else None,
        answer_before=_answer(before),
        answer=_answer(newest),
        is_continued=is_continued,
    )


def _answer(entry: Any) -> str:
    return answer_text(entry.module_state_key, entry.module_type, entry.state) if entry else ""


def _flags(versions: Sequence[Any], before: Any, difference: Difference, *, is_adjacent: bool) -> tuple[Flag, ...]:
    """Return the flags of the difference between the ends of a step, and those of each pair of its versions."""
    flags = {*flags_for(versions[0], before, difference)} - ADJACENT_FLAGS
    if is_adjacent:
        for newer, older in pairwise(filter(None, (*versions, before))):
            flags |= ADJACENT_FLAGS.intersection(flags_for(newer, older, NO_DIFFERENCE))
    if any(isinstance(entry, PendingHistory) for entry in versions):
        flags.add(Flag.PENDING)
    return tuple(flag for flag in Flag if flag in flags)


def _before_loss(
    model_admin: HistoryAdmin, versions: Sequence[VersionLink], before: Any, flags: Sequence[Flag]
) -> VersionLink | None:
    if not LOSSES.intersection(flags):
        return None
    if Flag.DELETED in flags and len(versions) > 1:
        # The request changed the row before it deleted the row.
        link = versions[1]
    elif before is not None:
        link = _link(model_admin, before)
    else:
        return None
    return _with_grade(link) if GRADE_LOSSES.intersection(flags) else link


def _link(model_admin: HistoryAdmin, entry: Any) -> VersionLink:
    restore_url = "" if entry.action == Entry.Action.DELETED else entry_url(model_admin, "restore", entry)
    return VersionLink(entry, key_of(entry), entry_url(model_admin, "version", entry), restore_url)


def _with_grade(link: VersionLink) -> VersionLink:
    """Return the link with the address of the restore page that offers to restore the grade first."""
    return link._replace(restore_url=with_grade(link.restore_url))


def _actors(versions: Iterable[Any], names: Mapping[int, str]) -> str:
    actors = dict.fromkeys(entry.actor_id for entry in versions if entry.actor_id is not None)
    return ", ".join(display_name(actor, names) for actor in islice(actors, SHOWN_NAMES))


def _older_label(older: Any, newest: Any) -> str:
    if older.student_module_id == newest.student_module_id:
        return _("version %(version)s") % {"version": older.version}
    return _("version %(version)s of row %(row)s") % {"version": older.version, "row": older.student_module_id}


def _comparison_url(model_admin: HistoryAdmin, older: Entry, newer: Entry) -> str:
    address = page_url(model_admin, "compare", newer.student_module_id)
    return f"{address}?a={key_of(older)}&b={key_of(newer)}"
