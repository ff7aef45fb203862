"""The versions of a timeline as lines of text or as JSON objects."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from history.answers import answer_text
from history.comparison.diff import Difference, diff
from history.comparison.flags import Flag, flags_for, predecessor
from history.comparison.formatting import SHOWN_CHARACTERS
from history.comparison.json_diff import ChangeKind, FieldChange
from history.export import record, sha256_of, size_of
from history.models import Entry
from kvstore.staff.dates import format_moment
from kvstore.staff.text import shorten

SHOWN_CHANGES = 5
SIGNS = {ChangeKind.ADDED: "+", ChangeKind.REMOVED: "-", ChangeKind.CHANGED: "~"}


@dataclass(frozen=True, slots=True)
class Version:
    """An entry and its difference from the previous version."""

    entry: Entry
    before: Entry | None
    """the previous version of the same row"""
    difference: Difference
    flags: tuple[Flag, ...]


def versions(entries: Iterable[Entry], *, limit: int) -> Iterator[Version]:
    """Yield a version for each entry of a timeline, newest first. Holds two entries in memory.

    ``limit`` is the number of changes in each difference.
    """
    for entry, older in pairwise(chain(entries, [None])):
        if entry is not None:
            before = predecessor(entry, older)
            difference = diff(before.state if before else None, entry.state, limit=limit)
            yield Version(entry, before, difference, flags_for(entry, older, difference))


def as_json(version: Version) -> dict[str, Any]:
    """Return the record of an entry with its flags and changes. Values are text, shortened if long."""
    difference = version.difference
    return record(version.entry) | {
        "flags": [str(flag) for flag in version.flags],
        "change_count": difference.count,
        "changes": [
            {"path": change.path, "kind": str(change.kind), "old": change.old_text, "new": change.new_text}
            for change in difference.changes
        ],
    }


def as_lines(version: Version, name: Callable[[int], str], *, with_state: bool) -> Iterator[str]:
    """Yield the lines of a version; the text may contain unprintable characters."""
    entry = version.entry
    heading = _("version %(version)s  %(action)s  %(time)s")
    yield heading % {"version": entry.version, "action": entry.get_action_display(), "time": time_text(entry)}
    for line in (
        *_origin(entry, name),
        *_grade(version),
        *_answer(version),
        *_flags(version),
        *_changes(version.difference),
    ):
        yield f"  {line}"
    if with_state:
        yield from state_lines(entry.state)
    yield ""


def state_lines(state: str | None) -> Iterator[str]:
    """Yield the size and the hash of a stored state, then the state."""
    if state is None:
        yield "  " + _("no state")
        return
    values = {"size": size_of(state), "hash": sha256_of(state)}
    yield "  " + _("state of %(size)d bytes, SHA-256 %(hash)s:") % values
    yield f"    {state}"


def time_text(entry: Entry) -> str:
    """Return when a version was written, in the current time zone and in microseconds."""
    return format_moment(entry.created, exact=True)


def format_user(user_id: int, username: str) -> str:
    """Return the username and the id; ``username`` is empty for a deleted user."""
    values = {"id": user_id, "name": username}
    return _("%(name)s (id:%(id)d)") % values if username else _("a deleted user (id:%(id)d)") % values


def _origin(entry: Entry, name: Callable[[int], str]) -> Iterator[str]:
    if entry.actor_id is not None:
        yield _("by %(actor)s") % {"actor": format_user(entry.actor_id, name(entry.actor_id))}
    if entry.reason:
        yield _("reason: %(reason)s") % {"reason": entry.reason}
    if entry.request_id:
        yield _("request %(request)s") % {"request": entry.request_id}
    if entry.source_version is not None:
        source = {"version": entry.source_version, "row": entry.source_id}
        yield _("state of version %(version)d of row %(row)d") % source


def _grade(version: Version) -> Iterator[str]:
    now = _grade_text(version.entry)
    before = _grade_text(version.before) if version.before else now
    if before != now:
        yield _("grade %(before)s -> %(now)s") % {"before": before, "now": now}
    elif version.entry.grade is not None:
        yield _("grade %(now)s") % {"now": now}


def _answer(version: Version) -> Iterator[str]:
    before, now = (_answer_text(entry) if entry else "" for entry in (version.before, version.entry))
    if before != now:
        yield _("answer %(before)s -> %(now)s") % {"before": before or "-", "now": now or "-"}


def _answer_text(entry: Entry) -> str:
    return shorten(answer_text(entry.module_state_key, entry.module_type, entry.state), SHOWN_CHARACTERS)


def _grade_text(entry: Entry) -> str:
    grade, most = ("-" if value is None else f"{value:.6g}" for value in (entry.grade, entry.max_grade))
    return grade if most == "-" else f"{grade}/{most}"


def _flags(version: Version) -> Iterator[str]:
    if version.flags:
        yield f"! {', '.join(str(flag.label) for flag in version.flags)}"
    if version.difference.newer_error:
        yield _("the state cannot be read: %(error)s") % {"error": version.difference.newer_error}


def _changes(difference: Difference) -> Iterator[str]:
    shown = difference.changes[:SHOWN_CHANGES]
    yield from map(_change, shown)
    more = difference.count - len(shown)
    if more > 0:
        yield ngettext("and %(more)d more change", "and %(more)d more changes", more) % {"more": more}


def _change(change: FieldChange) -> str:
    values = f"{change.old_text} -> {change.new_text}"
    return f"{SIGNS[change.kind]} {change.path_text}: {values.removeprefix(' -> ').removesuffix(' -> ')}"
