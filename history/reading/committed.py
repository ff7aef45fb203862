"""Decides for entries of many rows whether they were committed, with a constant number of queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

from django.db.models import Q

from history.database.connection import read_history
from history.models import Entry, PendingHistory, StudentModuleHistory
from history.querysets import on_primary
from history.reading.chain import LINK_COLUMNS, Chain, EntryLink, Head, Standing, decide
from history.reading.timeline import entries_at
from kvstore.models import StudentModule
from kvstore.signals import DELETED
from kvstore.storage.reading import stored_text

EntryT = TypeVar("EntryT", bound=Entry)
GroupT = TypeVar("GroupT")

MOST_LINKS = 5000
"""entries that are read at once to follow the chains of rows"""

IDENTITY = ("student_id", stored_text("course_id"), stored_text("module_state_key"))

EntryKey = tuple[int, int, bytes]
"""the row id, version and digest of an entry"""


class RowKey(NamedTuple):
    """A row id with the learner, course and block of its present or deleted row."""

    row_id: int
    student_id: int
    course_id: str
    module_state_key: str


def committed(entries: Sequence[EntryT]) -> list[EntryT]:
    """Return those entries whose version was committed. All pending entries are.

    An entry was committed if the digest of its row, or of a ``deleted`` entry, leads to it. An entry below the row's
    version was also committed if it is the only one of its version and no entry of the next version names another.
    For any other entry, the entries above it are read and the chain of its row is followed.

    One query on ``default`` for the rows. If the entries do not suffice, one more on each database; if versions have
    several entries, another one on each. Raises HistoryUnavailable.
    """
    delivered = [entry for entry in entries if not isinstance(entry, PendingHistory)]
    if not delivered:
        return list(entries)
    heads = _heads({entry.student_module_id for entry in delivered})
    proved = set(_proved_among(delivered, heads))
    undecided = [entry for entry in delivered if entry.key not in proved]
    if undecided:
        proved |= _proved_by_neighbours(undecided, heads)
    return [entry for entry in entries if isinstance(entry, PendingHistory) or entry.key in proved]


def _heads(ids: Collection[int]) -> dict[RowKey, Head]:
    rows = on_primary(StudentModule).filter(pk__in=ids)
    return {
        RowKey(*key): Head(version, digest)
        for *key, version, digest in rows.values_list("pk", *IDENTITY, "version", "digest")
    }


def _proved_among(entries: Iterable[Entry], heads: Mapping[RowKey, Head]) -> Iterator[EntryKey]:
    """Yield those entries that a row's digest or a deletion leads to through other ones of these entries."""
    expected = {(row, *head) for row, head in heads.items()}
    for entry in sorted(entries, key=attrgetter("version"), reverse=True):
        row = _row_of(entry)
        if entry.action == DELETED or (row, entry.version, entry.digest) in expected:
            expected.add((row, entry.version - 1, entry.previous))
            yield entry.key


def _proved_by_neighbours(entries: Sequence[EntryT], heads: Mapping[RowKey, Head]) -> set[EntryKey]:
    """Return those entries that their neighbours, or else the chains of their rows, prove to be committed."""
    neighbours = _neighbours(entries, heads)
    verdicts = {
        entry.key: _is_committed(entry, neighbours[_row_of(entry)], heads.get(_row_of(entry))) for entry in entries
    }
    proved = {key for key, verdict in verdicts.items() if verdict}
    undecided = [entry for entry in entries if verdicts[entry.key] is None]
    return proved | _proved_by_chains(undecided, heads) if undecided else proved


def _is_committed(entry: Entry, neighbours: Collection[EntryLink], head: Head | None) -> bool | None:
    """Return whether the neighbours of an entry prove that it was committed, or was not; None if they prove neither."""
    deletions = [link.version for link in neighbours if link.action == DELETED]
    committed_below = head.version if head else max(deletions, default=0)
    same_version = {link.digest for link in neighbours if link.version == entry.version}
    named_above = {link.previous for link in neighbours if link.version == entry.version + 1}
    if entry.version < committed_below and same_version == {entry.digest} and named_above <= {entry.digest}:
        return True
    return None if entry.version < committed_below or deletions else False


def _neighbours(entries: Iterable[Entry], heads: Mapping[RowKey, Head]) -> Mapping[RowKey, Collection[EntryLink]]:
    """Return the entries of the same and the next versions, and the deletions that may lead to an entry."""
    versions: dict[int, set[int]] = defaultdict(set)
    without_head = set()
    for entry in entries:
        row = _row_of(entry)
        versions[entry.student_module_id] |= {entry.version, entry.version + 1}
        if row not in heads or heads[row].version <= entry.version:
            without_head.add(entry.student_module_id)
    deletions = Q(student_module_id__in=without_head, action=DELETED) if without_head else Q()
    return _links(versions, deletions | at_versions(versions))


def _proved_by_chains(entries: Collection[EntryT], heads: Mapping[RowKey, Head]) -> set[EntryKey]:
    """Return those entries that heads lead to through all the entries above them."""
    lowest: dict[int, int] = {}
    for entry in entries:
        row_id = entry.student_module_id
        lowest[row_id] = min(entry.version, lowest.get(row_id, entry.version))
    wanted = Q()
    for version, ids in _grouped(lowest, int).items():
        wanted |= Q(student_module_id__in=ids, version__gte=version)
    links = _links(lowest, wanted, at_most=MOST_LINKS)
    if sum(map(len, links.values())) >= MOST_LINKS:
        return {entry.key for entry in entries if _is_in_timeline(entry)}
    return {key for row in set(map(_row_of, entries)) for key in _proved_in_chain(heads.get(row), links[row])}


def _proved_in_chain(head: Head | None, links: Iterable[EntryLink]) -> Iterator[EntryKey]:
    """Yield the committed entries of a row, given all its entries from some version on."""
    falling = sorted(links, key=attrgetter("version"), reverse=True)
    for link, standing in decide(falling, lambda _row_id, _version: Chain(head)):
        if standing is not Standing.UNREACHED:
            yield link.student_module_id, link.version, link.digest


def at_versions(versions: Mapping[int, Collection[int]]) -> Q:
    """Return a filter for the entries of some versions of each row, given by row id."""
    wanted = Q()
    for numbers, ids in _grouped(versions, frozenset).items():
        wanted |= Q(student_module_id__in=ids, version__in=numbers)
    return wanted


def _grouped(values: Mapping[int, Any], group: Callable[[Any], GroupT]) -> Mapping[GroupT, list[int]]:
    """Return the row ids by the group of their value: few conditions take less time to compile than many."""
    rows: dict[GroupT, list[int]] = defaultdict(list)
    for row_id, value in values.items():
        rows[group(value)].append(row_id)
    return rows


def _links(ids: Collection[int], wanted: Q, at_most: int | None = None) -> Mapping[RowKey, set[EntryLink]]:
    """Return the pending entries of these rows and the delivered ones that are wanted, by row."""
    columns = (*IDENTITY, *LINK_COLUMNS)
    # Pending entries first: an entry may be delivered between the two queries.
    pending = on_primary(PendingHistory).filter(student_module_id__in=ids).values_list(*columns)
    entries = list(pending)
    delivered = on_primary(StudentModuleHistory).filter(wanted).values_list(*columns)
    entries += read_history(lambda: list(delivered[:at_most]))
    links: dict[RowKey, set[EntryLink]] = defaultdict(set)
    for student_id, course_id, module_state_key, *values in entries:
        link = EntryLink(*values)
        links[RowKey(link.student_module_id, student_id, course_id, module_state_key)].add(link)
    return links


def _is_in_timeline(entry: Entry) -> bool:
    row_id, version, digest = entry.key
    stored = entries_at(entry.student_id, entry.address, row_id, version, lambda entries: entries.only(*LINK_COLUMNS))
    return any(other.digest == digest and standing is not Standing.UNREACHED for other, standing in stored)


def _row_of(entry: Entry) -> RowKey:
    course_id, usage_key, _block_type = entry.address
    return RowKey(entry.student_module_id, entry.student_id, course_id, usage_key)
