"""Reads entries of many rows by their keys, such as the previous versions of the entries of a list."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from history.database.connection import read_history
from history.models import Entry, PendingHistory, StudentModuleHistory
from history.querysets import on_primary
from history.reading.committed import EntryKey, at_versions
from history.reading.timeline import Prepare


def previous_key(entry: Entry) -> EntryKey | None:
    """Return the key of the version that an entry follows; None if the entry is the first of its row."""
    return None if entry.previous is None else (entry.student_module_id, entry.version - 1, entry.previous)


def pending_by_key(keys: Collection[EntryKey], prepare: Prepare) -> dict[EntryKey, Any]:
    """Return the pending entries with these keys. One query on ``default``."""
    return _by_key(on_primary(PendingHistory), keys, prepare)


def entries_by_key(keys: Collection[EntryKey], prepare: Prepare) -> dict[EntryKey, Any]:
    """Return the entries with these keys, delivered or pending; ``prepare`` selects their columns.

    One query on the history database, and one on ``default`` if some are not delivered. Raises HistoryUnavailable.
    """
    found = read_history(lambda: _by_key(on_primary(StudentModuleHistory), keys, prepare))
    missing = set(keys) - found.keys()
    return found | pending_by_key(missing, prepare) if missing else found


def _by_key(entries: Any, keys: Collection[EntryKey], prepare: Prepare) -> dict[EntryKey, Any]:
    if not keys:
        return {}
    found = {entry.key: entry for entry in prepare(entries).filter(at_versions(_versions(keys)))}
    # A version may have other entries, which were rolled back.
    return {key: found[key] for key in keys if key in found}


def _versions(keys: Iterable[EntryKey]) -> Mapping[int, set[int]]:
    versions: dict[int, set[int]] = defaultdict(set)
    for row_id, version, _digest in keys:
        versions[row_id].add(version)
    return versions
