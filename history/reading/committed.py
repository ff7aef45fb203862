"""Decides which of many entries, of many rows, were committed: by the entries beside and above each of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

from django.db import router
from django.db.models import Q

from history.database.connection import read_history
from history.models import Entry, PendingHistory, StudentModuleHistory
from history.reading.chain import LINK_COLUMNS, Chain, EntryLink, Head, Standing, decide
from history.reading.timeline import Span, all_entries
from kvstore.keys import BlockAddress
from kvstore.models import StudentModule
from kvstore.signals import DELETED
from kvstore.storage.reading import stored_text

EntryT = TypeVar("EntryT", bound=Entry)
KeyT = TypeVar("KeyT")

MOST_LINKS = 5000
"""entries that are read at once to follow the chains of rows"""

IDENTITY = ("student_id", stored_text("course_id"), stored_text("module_state_key"))


Place = tuple[int, int, bytes]
"""the row id, version and digest of an entry"""


class RowKey(NamedTuple):
    """A row id and the learner, course and block that it belongs, or belonged, to."""

    row_id: int
    student_id: int
    course_id: str
    module_state_key: str


def committed(entries: Sequence[EntryT]) -> list[EntryT]:
    """Return those entries whose version was committed. Pending entries are.

    An entry was committed if its row's digest leads to it. So was one below the row's version that is the only one of
    its version, unless an entry of the following version names another one. A row that is gone proves the versions up
    to its entry ``deleted``. For any other entry, the entries above it are read and the chain of its row is followed.

    One query on ``default`` for the rows; one more on each database unless the entries themselves suffice, and one
    more where several entries have the same version. Raises HistoryUnavailable.
    """
    delivered = [entry for entry in entries if not isinstance(entry, PendingHistory)]
    if not delivered:
        return list(entries)
    heads = _heads({entry.student_module_id for entry in delivered})
    sure = set(_led_to(delivered, heads))
    unsure = [entry for entry in delivered if _place(entry) not in sure]
    if unsure:
        sure |= _decided(unsure, heads)
    return [entry for entry in entries if isinstance(entry, PendingHistory) or _place(entry) in sure]


def _heads(ids: Collection[int]) -> dict[RowKey, Head]:
    rows = StudentModule.objects.using(router.db_for_write(StudentModule)).filter(pk__in=ids)
    return {
        RowKey(*key): Head(version, digest)
        for *key, version, digest in rows.values_list("pk", *IDENTITY, "version", "digest")
    }


def _led_to(entries: Iterable[Entry], heads: Mapping[RowKey, Head]) -> Iterator[Place]:
    """Yield those entries that the rows' digests, or deletions, lead to through other ones of these entries."""
    expected = {(key, *head) for key, head in heads.items()}
    for entry in sorted(entries, key=lambda entry: -entry.version):
        key = _key(entry)
        if entry.action == DELETED or (key, entry.version, entry.digest) in expected:
            expected.add((key, entry.version - 1, entry.previous))
            yield _place(entry)


def _decided(entries: Sequence[EntryT], heads: Mapping[RowKey, Head]) -> set[Place]:
    """Return those entries that their neighbours, or else the chains of their rows, show to be committed."""
    neighbours = _neighbours(entries, heads)
    verdicts = [_is_committed(entry, neighbours[_key(entry)], heads.get(_key(entry))) for entry in entries]
    found = {_place(entry) for entry, verdict in zip(entries, verdicts, strict=True) if verdict}
    forked = [entry for entry, verdict in zip(entries, verdicts, strict=True) if verdict is None]
    return found | _reached(forked, heads) if forked else found


def _is_committed(entry: Entry, neighbours: Collection[EntryLink], head: Head | None) -> bool | None:
    """Return whether its neighbours show an entry, to which no head leads directly, to be committed; None: unknown."""
    ends = [link.version for link in neighbours if link.action == DELETED]
    bound = head.version if head else max(ends, default=0)
    beside = {link.digest for link in neighbours if link.version == entry.version}
    above = {link.previous for link in neighbours if link.version == entry.version + 1}
    if entry.version < bound and beside == {entry.digest} and above <= {entry.digest}:
        return True
    return None if entry.version < bound or ends else False


def _neighbours(entries: Iterable[Entry], heads: Mapping[RowKey, Head]) -> Mapping[RowKey, Collection[EntryLink]]:
    """Return the entries of the same and the following versions, and the deletions that may lead to an entry."""
    versions: dict[int, set[int]] = defaultdict(set)
    without_head = set()
    for entry in entries:
        key = _key(entry)
        versions[entry.student_module_id] |= {entry.version, entry.version + 1}
        if key not in heads or heads[key].version <= entry.version:
            without_head.add(entry.student_module_id)
    wanted = Q(student_module_id__in=without_head, action=DELETED) if without_head else Q()
    for numbers, ids in _rows_by(versions, frozenset).items():
        wanted |= Q(student_module_id__in=ids, version__in=numbers)
    return _links(versions, wanted)


def _reached(entries: Collection[EntryT], heads: Mapping[RowKey, Head]) -> set[Place]:
    """Return those entries that heads lead to, through all the entries above them."""
    lowest: dict[int, int] = {}
    for entry in entries:
        row_id = entry.student_module_id
        lowest[row_id] = min(entry.version, lowest.get(row_id, entry.version))
    wanted = Q()
    for version, ids in _rows_by(lowest, int).items():
        wanted |= Q(student_module_id__in=ids, version__gte=version)
    links = _links(lowest, wanted, at_most=MOST_LINKS)
    if sum(map(len, links.values())) >= MOST_LINKS:
        return {_place(entry) for entry in entries if _is_in_timeline(entry)}
    return {place for key in set(map(_key, entries)) for place in _led_from(heads.get(key), links[key])}


def _led_from(head: Head | None, links: Iterable[EntryLink]) -> Iterator[Place]:
    """Yield those of a row's entries that its head or a deletion leads to, of all entries from some version on."""
    falling = sorted(links, key=attrgetter("version"), reverse=True)
    for link, standing in decide(falling, lambda _row_id, _version: Chain(head)):
        if standing is not Standing.UNREACHED:
            yield link.student_module_id, link.version, link.digest


def _rows_by(values: Mapping[int, Any], key: Callable[[Any], KeyT]) -> Mapping[KeyT, list[int]]:
    """Return the row ids by the key of their value: one condition for all of them takes less time to compile."""
    rows: dict[KeyT, list[int]] = defaultdict(list)
    for row_id, value in values.items():
        rows[key(value)].append(row_id)
    return rows


def _links(ids: Collection[int], wanted: Q, at_most: int | None = None) -> Mapping[RowKey, set[EntryLink]]:
    """Return the pending entries of these rows and the delivered ones that are wanted, by row."""
    columns = (*IDENTITY, *LINK_COLUMNS)
    # What is pending first: it may be delivered in between.
    found = list(_stored(PendingHistory).filter(student_module_id__in=ids).values_list(*columns))
    delivered = _stored(StudentModuleHistory).filter(wanted).values_list(*columns)
    found += read_history(lambda: list(delivered[:at_most]))
    links: dict[RowKey, set[EntryLink]] = defaultdict(set)
    for student_id, course_id, module_state_key, *values in found:
        link = EntryLink(*values)
        links[RowKey(link.student_module_id, student_id, course_id, module_state_key)].add(link)
    return links


def _is_in_timeline(entry: Entry) -> bool:
    address = BlockAddress(str(entry.course_id), str(entry.module_state_key), entry.module_type)
    span = Span(older_than=(entry.student_module_id, entry.version + 1))
    found = all_entries(
        {"student_id": entry.student_id},
        address,
        span,
        prepare=lambda entries: entries.values_list(*LINK_COLUMNS, named=True),
        page_size=3,
    )
    for other, standing in found:
        if other.digest == entry.digest:
            return standing is not Standing.UNREACHED
        if other.version < entry.version:
            break
    return False


def _stored(model: type[Entry]) -> Any:
    return model._base_manager.using(router.db_for_write(model))


def _key(entry: Entry) -> RowKey:
    return RowKey(entry.student_module_id, entry.student_id, str(entry.course_id), str(entry.module_state_key))


def _place(entry: Entry) -> Place:
    return entry.student_module_id, entry.version, entry.digest
