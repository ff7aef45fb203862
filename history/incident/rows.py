"""Reads the rows of an incident: the committed entries from the first selected one on, and the present row.

A constant number of queries for each batch of rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import attrgetter, or_
from typing import Any

from django.db.models import Q

from history.database.connection import read_history
from history.incident.selection import Selection
from history.models import PendingHistory, StudentModuleHistory
from history.querysets import on_primary
from history.reading.chain import Chain, Head, Standing, decide
from history.reading.scan import KEYS, Identity, StoredRow, stored_columns
from kvstore.keys import BlockAddress
from kvstore.models import StudentModule
from kvstore.signals import StateVersion

EntryKey = tuple[int, int, bytes]
"""the row id, version and digest of an entry"""

LINK_COLUMNS = stored_columns(StateVersion._fields, with_states=False)
ROW_COLUMNS = ["pk", *stored_columns(StoredRow._fields[1:], with_states=True)]


@dataclass(frozen=True)
class IncidentRow:
    """A row with selected entries. The entries lack their states."""

    row_id: int
    links: list[StateVersion]
    """the committed entries by rising version, from the one before the first selected one on"""
    selected: frozenset[int]
    """the versions of the selected entries"""
    present: StoredRow | None
    """the learner's present row of the block, which may have another id; None if it was deleted"""
    later: list[StateVersion]
    """the committed entries of the present row if it has another id"""

    @property
    def first(self) -> int:
        """The first selected version."""
        return min(self.selected)

    @property
    def identity(self) -> Identity:
        return _identity(self.links[0])

    @property
    def address(self) -> BlockAddress:
        link = self.links[0]
        return BlockAddress(link.course_id, link.module_state_key, link.module_type)


def read_rows(lowest: Mapping[int, int], selection: Selection) -> list[IncidentRow]:
    """Return the rows with committed, selected entries, the highest id first, for row ids and their lowest versions.

    Raises HistoryUnavailable.
    """
    # The rows before the entries: a version that commits between the queries is left out, and if the row is written,
    # its version is compared again.
    rows = {row.row_id: row for row in _stored_rows(Q(pk__in=list(lowest)))}
    links = _links(_from_versions({row_id: version - 1 for row_id, version in lowest.items()}))
    others = _other_rows(links, rows)
    later = _links(Q(student_module_id__in=[row.row_id for row in others.values()])) if others else {}
    found = []
    for row_id, identity in sorted(links, reverse=True):
        own = rows.get(row_id)
        present = own if own and own.identity == identity else others.get(identity)
        chain = _committed(links[row_id, identity], present)
        selected = frozenset(link.version for link in chain if selection.includes(link))
        if selected:
            is_other = present is not None and present is not own
            other_links = later.get((present.row_id, identity), ()) if present and is_other else ()
            found.append(IncidentRow(row_id, chain, selected, present, _committed(other_links, present)))
    return found


def read_states(links: Iterable[StateVersion]) -> dict[EntryKey, str | None]:
    """Return the states of entries by row id, version and digest, in one query on each database."""
    versions: dict[int, set[int]] = defaultdict(set)
    for link in links:
        versions[link.version].add(link.student_module_id)
    if not versions:
        return {}
    wanted = reduce(or_, (Q(version=version, student_module_id__in=ids) for version, ids in versions.items()))
    columns = ("student_module_id", "version", "digest", "state")
    return {tuple(key): state for *key, state in _read(wanted, columns)}


def _stored_rows(wanted: Q) -> list[StoredRow]:
    return [StoredRow(*values) for values in on_primary(StudentModule).filter(wanted).values_list(*ROW_COLUMNS)]


def _other_rows(links: Collection[tuple[int, Identity]], rows: Mapping[int, StoredRow]) -> dict[Identity, StoredRow]:
    """Return the present rows of blocks of which the row with selected entries was deleted."""
    missing = {identity for row_id, identity in links if row_id not in rows or rows[row_id].identity != identity}
    if not missing:
        return {}
    wanted = (Q(**dict(zip(("student_id", *KEYS), identity, strict=True))) for identity in missing)
    return {row.identity: row for row in _stored_rows(reduce(or_, wanted))}


def _from_versions(lowest: Mapping[int, int]) -> Q:
    """Return a filter for the entries of rows from a version of each on."""
    ids: dict[int, list[int]] = defaultdict(list)
    for row_id, version in lowest.items():
        ids[version].append(row_id)
    return reduce(or_, (Q(student_module_id__in=group, version__gte=version) for version, group in ids.items()))


def _links(wanted: Q) -> dict[tuple[int, Identity], list[StateVersion]]:
    found: dict[tuple[int, Identity], list[StateVersion]] = defaultdict(list)
    for values in _read(wanted, LINK_COLUMNS):
        link = StateVersion(*values)
        found[link.student_module_id, _identity(link)].append(link)
    return found


def _read(wanted: Q, columns: Iterable[Any]) -> Iterator[Any]:
    # Pending entries first: an entry may be delivered between the two queries.
    yield from on_primary(PendingHistory).filter(wanted).values_list(*columns)
    delivered = on_primary(StudentModuleHistory).filter(wanted).values_list(*columns)
    yield from read_history(lambda: list(delivered))


def _committed(links: Iterable[StateVersion], present: StoredRow | None) -> list[StateVersion]:
    """Return the entries of one row from which its present version, or its deletion, descends, by rising version."""
    falling = sorted(links, key=attrgetter("version"), reverse=True)
    is_present = present is not None and bool(falling) and falling[0].student_module_id == present.row_id
    head = Head(present.version, present.digest) if present is not None and is_present else None
    decided = decide(falling, lambda _row_id, _version: Chain(head))
    return [link for link, standing in decided if standing is Standing.CURRENT][::-1]


def _identity(link: StateVersion) -> Identity:
    return link.student_id, link.course_id, link.module_state_key
