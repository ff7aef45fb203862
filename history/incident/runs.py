"""Decides which runs of selected changes of a row to undo, and whether a repair has undone them. Reads no database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from history.incident.rows import IncidentRow
from history.incident.selection import is_repair
from kvstore.signals import StateVersion


class Run(NamedTuple):
    """Selected entries of successive versions, as one change."""

    before: StateVersion | None
    """the version before the run; None if the run created the row"""
    after: StateVersion
    """the last version of the run"""


class MissingVersion(Exception):
    """The history lacks a version next to selected ones, so the state before them is unknown."""


def runs_of(row: IncidentRow) -> list[Run]:
    """Return the runs of selected entries, the newest first. Raises MissingVersion."""
    runs: list[Run] = []
    before: StateVersion | None = None
    for link in row.links:
        if link.version in row.selected:
            if link.version != (before.version if before else 0) + 1:
                raise MissingVersion
            if runs and runs[-1].after is before:
                runs[-1] = Run(runs[-1].before, link)
            else:
                runs.append(Run(before, link))
        before = link
    return runs[::-1]


def repaired_by(row: IncidentRow) -> StateVersion | None:
    """Return the entry of the repair that undid the selected changes, unless a later repair undid that one.

    An entry of a repair has as its source the version before the first one that it undid, or no source if it undid
    the creation of the row.
    """
    undone: dict[tuple[int, int], StateVersion] = {}
    for link in _newest_first([*row.links, *row.later]):
        if is_repair(link) and (link.student_module_id, link.version) not in undone:
            undone[_first_undone(link)] = link
    return undone.get((row.row_id, row.first))


def _newest_first(links: Sequence[StateVersion]) -> list[StateVersion]:
    return sorted(links, key=lambda link: (link.student_module_id, link.version), reverse=True)


def _first_undone(link: StateVersion) -> tuple[int, int]:
    if link.source_id is None or link.source_version is None:
        return link.student_module_id, 1
    return link.source_id, link.source_version + 1
