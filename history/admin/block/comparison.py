"""Page: two versions of a block, field by field and side by side."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils.translation import gettext as _

from history.admin.block.pages import block_page, get_owner_or_404, names_on, page_url, version_key
from history.admin.block.version import version_of, with_full_state
from history.admin.block.version_summary import summarize_version
from history.admin.permissions import HistoryAdmin
from history.comparison.side_by_side import SideBySide, side_by_side
from kvstore.admin.rendering import RenderedText, render_json

MAX_BYTES = 250_000
"""of a state that is shown side by side"""

MAX_INDENTED = 250_000
"""characters of an indented state that are compared"""


def comparison_page(model_admin: HistoryAdmin, request: HttpRequest, row_id: int) -> HttpResponseBase:
    """Compare the versions in the parameters ``a`` and ``b``, the older one on the left."""
    owner = get_owner_or_404(model_admin, request, row_id)
    keys = [version_key(request.GET.get(name, ""), row_id) for name in ("a", "b")]
    if None in keys or keys[0] == keys[1]:
        messages.warning(request, _("Choose two different versions to compare."))
        return HttpResponseRedirect(page_url(model_admin, "timeline", row_id))
    # Both are read from this learner's timeline of this block: keys of other rows are not found.
    older, newer = (version_of(owner, *key, prepare=with_full_state) for key in sorted(filter(None, keys)))
    names = names_on(owner, [older, newer])
    summary = summarize_version(model_admin, newer, older, names, is_adjacent=False)
    # Lines of a state that is not JSON are its stored text.
    has_lines = summary.is_readable or model_admin.has_export_permission(request, owner)
    return block_page(
        model_admin,
        request,
        owner,
        row_id,
        "comparison",
        title=_("Versions %(a)s and %(b)s") % {"a": older.version, "b": newer.version},
        names=names,
        older=summarize_version(model_admin, older, None, names),
        newer=summary,
        difference=summary.difference,
        indented=_indented(older, newer) if has_lines else None,
        is_same_text=older.small_state == newer.small_state,
    )


class IndentedStates(NamedTuple):
    """Two indented states side by side."""

    sides: SideBySide
    is_truncated: bool
    """whether a state has more than MAX_INDENTED characters, so that its end was not compared"""


def _indented(older: Any, newer: Any) -> IndentedStates | None:
    """Return None if a state is too large to be indented."""
    if max(older.size or 0, newer.size or 0) > MAX_BYTES:
        return None
    texts = (older.small_state, newer.small_state)
    states = [None if text is None else render_json(text, MAX_INDENTED) for text in texts]
    sides = side_by_side(*map(_lines, states))
    return IndentedStates(sides, any(state is not None and state.is_truncated for state in states))


def _lines(state: RenderedText | None) -> list[str]:
    if state is None:
        return []
    lines = state.text.split("\n")
    # The last line may be incomplete.
    return lines[:-1] if state.is_truncated else lines
