"""Two versions of a block side by side."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils.translation import gettext as _

from history.admin.block.pages import BlockPagesAdmin, block_page, get_owner_or_404, page_url, usernames_on, version_key
from history.admin.block.version import version_of, with_full_state
from history.admin.block.version_summary import summarize_version
from kvstore.admin.rendering import SHOWN_CHARACTERS, pretty

CONTEXT = 3
"""lines that are the same, shown around those that differ"""
SHOWN_LINES = 400
LONGEST_STATE = SHOWN_CHARACTERS
"""bytes; of a longer one the changed fields are listed, and no lines"""
LONGEST_LINE = 500


class Line(NamedTuple):
    """A line of both states; ``kind`` is same, changed, removed, added or skipped."""

    kind: str
    left: str
    right: str


def comparison_page(model_admin: BlockPagesAdmin, request: HttpRequest, row_id: int) -> HttpResponseBase:
    """Show what differs between the versions ``a`` and ``b``, the older one on the left."""
    owner = get_owner_or_404(model_admin, request, row_id)
    keys = [version_key(request.GET.get(name, ""), row_id) for name in ("a", "b")]
    if None in keys or keys[0] == keys[1]:
        messages.warning(request, _("Choose two different versions to compare."))
        return HttpResponseRedirect(page_url(model_admin, "timeline", row_id))
    # Both are looked up in this learner's timeline of this block, so no other's can be named.
    older, newer = (version_of(owner, *key, prepare=with_full_state) for key in sorted(filter(None, keys)))
    names = usernames_on(owner, [older, newer])
    compared = summarize_version(model_admin, newer, older, names, is_adjacent=False)
    return block_page(
        model_admin,
        request,
        owner,
        row_id,
        "comparison",
        title=_("Versions %(a)s and %(b)s") % {"a": older.version, "b": newer.version},
        names=names,
        older=summarize_version(model_admin, older, None, names),
        newer=compared,
        difference=compared.difference,
        lines=_lines_of(older, newer),
    )


def _lines_of(older: Any, newer: Any) -> list[Line]:
    """Return the lines to show, none where the states are longer than would be looked through."""
    if max(older.size or 0, newer.size or 0) > LONGEST_STATE:
        return []
    return list(side_by_side(older.small_state, newer.small_state))


def side_by_side(older: str | None, newer: str | None) -> Iterator[Line]:
    """Yield the lines of two states, indented, that differ, and a few around them; no more than a page takes."""
    left, right = (_lines(text) for text in (older, newer))
    groups = _matched(left, right, _said).get_grouped_opcodes(CONTEXT)
    shown = 0
    for number, group in enumerate(groups):
        if number:
            yield Line("skipped", "", "")
        for kind, i1, i2, j1, j2 in group:
            for line in _paired(kind, left[i1:i2], right[j1:j2]):
                yield line
                shown += 1
                if shown == SHOWN_LINES:
                    yield Line("skipped", "", "")
                    return


def _lines(text: str | None) -> list[str]:
    return [] if text is None else [line[:LONGEST_LINE] for line in pretty(text).text.split("\n")]


def _paired(kind: str, left: list[str], right: list[str]) -> Iterator[Line]:
    if kind == "equal":
        yield from (Line("same", *pair) for pair in zip(left, right, strict=True))
        return
    # Lines of one name stand beside each other; others have come or gone.
    for part, i1, i2, j1, j2 in _matched(left, right, _name).get_opcodes():
        if part == "equal":
            pairs = zip(left[i1:i2], right[j1:j2], strict=True)
            yield from (Line("same" if _said(one) == _said(other) else "changed", one, other) for one, other in pairs)
        else:
            yield from (Line("removed", line, "") for line in left[i1:i2])
            yield from (Line("added", "", line) for line in right[j1:j2])


def _matched(left: list[str], right: list[str], by: Callable[[str], str]) -> difflib.SequenceMatcher[str]:
    return difflib.SequenceMatcher(None, list(map(by, left)), list(map(by, right)))


def _name(line: str) -> str:
    """Return what a line of an object begins with, its name; of a list, all of it."""
    name, colon, _value = line.partition('": ')
    return name if colon else _said(line)


def _said(line: str) -> str:
    # A comma only says that something follows.
    return line.removesuffix(",")
