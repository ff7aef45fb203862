"""The address of a timeline: filters, the position, the previous pages, and the pair of versions to compare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict

from history.admin.block.pages import VersionKey, version_key

NEWEST = "newest"
"""the first page, in the list of previous pages"""
MAX_PREVIOUS_PAGES = 30
"""pages that *Newer* leads back to"""


class TimelineAddress:
    """The parameters of a timeline. All links of the page keep the filters and the chosen pair."""

    def __init__(self, parameters: QueryDict, filters: Mapping[str, str], row_id: int) -> None:
        self.filters = filters
        keys = {name: version_key(parameters.get(name, ""), row_id) for name in ("a", "b", "older")}
        self.position = keys.pop("older")
        self.pair = {name: key for name, key in keys.items() if key}
        back = parameters.getlist("back")[-MAX_PREVIOUS_PAGES:]
        self.back = [text for text in back if text == NEWEST or version_key(text, row_id)]

    @property
    def pair_parameters(self) -> dict[str, str]:
        return {name: key_text(key) for name, key in self.pair.items()}

    @property
    def newest_url(self) -> str:
        """Of the first page; empty on this page."""
        return self._url(self.pair_parameters) if self.position else ""

    @property
    def newer_url(self) -> str:
        """Of the page from which a link led to this one; empty without one."""
        if not self.position or not self.back:
            return ""
        *back, last = self.back
        return self._url(self.pair_parameters, [] if last == NEWEST else [("older", last)], back)

    def older_url(self, oldest: str) -> str:
        """Return the address of the page below the entry with this key."""
        here = key_text(self.position) if self.position else NEWEST
        return self._url(self.pair_parameters, [("older", oldest)], [*self.back, here][-MAX_PREVIOUS_PAGES:])

    def choice_url(self, name: str, key: str) -> str:
        """Return the address of this page with a version as ``a`` (older) or ``b`` (newer) of the pair.

        Empty if the version is chosen.
        """
        if self.pair_parameters.get(name) == key:
            return ""
        return f"{self._here(self.pair_parameters | {name: key})}#version-{key}"

    @property
    def without_pair_url(self) -> str:
        return self._here({})

    @property
    def without_filters_url(self) -> str:
        return f"?{urlencode(self.pair_parameters)}"

    def _here(self, pair: Mapping[str, str]) -> str:
        return self._url(pair, [("older", key_text(self.position))] if self.position else [], self.back)

    def _url(self, pair: Mapping[str, str], position: Any = (), back: Any = ()) -> str:
        parameters = [*self.filters.items(), *pair.items(), *position, *(("back", key) for key in back)]
        return f"?{urlencode(parameters)}"


def key_text(key: VersionKey) -> str:
    """Return the text that :func:`history.admin.block.pages.version_key` parses."""
    return f"{key.row_id}.{key.version}" + (f".{key.digest}" if key.digest else "")
