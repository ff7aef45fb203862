"""The page of an export in parts, so that memory does not depend on the number of versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.template.loader import render_to_string
from django.utils.translation import get_language, get_language_bidi

from history.answers import answer_text
from history.comparison.diff import Difference, diff
from history.comparison.flags import flags_for, predecessor
from history.export import iso, sha256_of, size_of
from history.models import Entry, PendingHistory
from kvstore.staff.text import escape_unprintable, score_text
from kvstore.staff.users import display_name

COMPARED_BYTES = 200_000
"""a larger state is not compared; the file of the versions contains it"""
SHOWN_CHANGES = 50

NO_DIFFERENCE = Difference((), 0, ())


def render_part(name: str, **context: Any) -> str:
    """Return a part of the page in the current language: ``begin``, ``version`` or ``end``."""
    return render_to_string(f"xblock_history/evidence/{name}.html", context)


def render_begin(**context: Any) -> str:
    return render_part("begin", language=get_language() or "en", is_rtl=get_language_bidi(), **context)


def render_version(entry: Entry, older: Entry | None, names: Mapping[int, str], *, is_intact: bool) -> str:
    """Return the part about one version; ``older`` is the next entry of the timeline."""
    before = predecessor(entry, older)
    is_comparable = all(size_of(one.state) <= COMPARED_BYTES for one in (entry, before) if one is not None)
    # The changes of an entry without a previous version are unknown, except those of the first version.
    is_compared = is_comparable and (before is not None or entry.version == 1)
    state_before = None if before is None else before.state
    difference = diff(state_before, entry.state, limit=SHOWN_CHANGES) if is_compared else None
    return render_part(
        "version",
        entry=entry,
        utc=iso(entry.created),
        actor="" if entry.actor_id is None else display_name(entry.actor_id, names),
        reason=escape_unprintable(entry.reason),
        request_id=escape_unprintable(entry.request_id),
        score_before="" if before is None else score_text(before),
        score=score_text(entry),
        answer_before="" if before is None else answer_of(before),
        answer=answer_of(entry),
        difference=difference,
        more=difference.count - len(difference.changes) if difference else 0,
        is_too_large=not is_comparable,
        flags=flags_for(entry, older, NO_DIFFERENCE if difference is None else difference),
        is_pending=isinstance(entry, PendingHistory),
        is_intact=is_intact,
        size=size_of(entry.state),
        state_sha256=sha256_of(entry.state),
    )


def answer_of(row: Any) -> str:
    """Return the answer in the state of an entry or a row."""
    return answer_text(row.module_state_key, row.module_type, row.state)
