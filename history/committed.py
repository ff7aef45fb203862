"""Decides which of many entries, of many rows, were committed: by the entries beside and above each of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from django.db import router
from django.db.models import Q

from history.chain import LINK_COLUMNS, Head, Standing
from history.models import Entry, PendingHistory, StudentModuleHistory
from history.reading import in_time
from history.timeline import Span, all_entries
from kvstore.keys import BlockAddress
from kvstore.models import StudentModule
from kvstore.reading import stored_text
from kvstore.signals import DELETED

EntryT = TypeVar("EntryT", bound=Entry)

IDENTITY = ("student_id", stored_text("course_id"), stored_text("module_state_key"))


Place = tuple[int, int, bytes]
"""the row id, version and digest of an entry"""


class RowKey(NamedTuple):
    """A row id and the learner, course and block that it belongs, or belonged, to."""

    row_id: int
    student_id: int
    course_id: str
    module_state_key: str


class Neighbour(NamedTuple):
    """An entry beside or above another one."""

    version: int
    action: str
    previous: bytes | None
    digest: bytes


def committed(entries: Sequence[EntryT]) -> list[EntryT]:
    """Return those entries whose version was committed. Pending entries are.

    An entry was committed if its row's digest leads to it. So was one below the row's version that is the only one of
    its version, unless an entry of the following version names another one. A row that is gone proves the versions up
    to its entry ``deleted``. Any other entry is looked up in the timeline of its block.

    One query on ``default`` for the rows; one more on each database unless the entries themselves suffice. Raises
    HistoryUnavailable.
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


def _decided(entries: Iterable[Entry], heads: Mapping[RowKey, Head]) -> set[Place]:
    """Return those entries that their neighbours, or else the timelines of their blocks, show to be committed."""
    neighbours = _neighbours(entries, heads)
    return {_place(entry) for entry in entries if _is_committed(entry, neighbours[_key(entry)], heads.get(_key(entry)))}


def _is_committed(entry: Entry, neighbours: Iterable[Neighbour], head: Head | None) -> bool:
    ends = [link.version for link in neighbours if link.action == DELETED]
    bound = head.version if head else max(ends, default=0)
    beside = {link.digest for link in neighbours if link.version == entry.version}
    above = {link.previous for link in neighbours if link.version == entry.version + 1}
    if entry.version < bound and beside == {entry.digest} and above <= {entry.digest}:
        return True
    return (entry.version <= bound or bool(ends)) and _is_in_timeline(entry)


def _neighbours(entries: Iterable[Entry], heads: Mapping[RowKey, Head]) -> Mapping[RowKey, set[Neighbour]]:
    """Return the entries of the same and the following versions, and the deletions of rows that need not be there."""
    versions: dict[int, set[int]] = defaultdict(set)
    without_head = set()
    for entry in entries:
        key = _key(entry)
        versions[entry.student_module_id] |= {entry.version, entry.version + 1}
        if key not in heads or heads[key].version < entry.version:
            without_head.add(entry.student_module_id)
    wanted = Q(student_module_id__in=without_head, action=DELETED) if without_head else Q()
    for row_id, numbers in versions.items():
        wanted |= Q(student_module_id=row_id, version__in=numbers)
    columns = ("student_module_id", *IDENTITY, "version", "action", "previous", "digest")
    # What is pending first: it may be delivered in between.
    found = list(_stored(PendingHistory).filter(student_module_id__in=versions).values_list(*columns))
    found += in_time(lambda: list(_stored(StudentModuleHistory).filter(wanted).values_list(*columns)))
    neighbours: dict[RowKey, set[Neighbour]] = defaultdict(set)
    for values in found:
        neighbours[RowKey(*values[:4])].add(Neighbour(*values[4:]))
    return neighbours


def _is_in_timeline(entry: Entry) -> bool:
    address = BlockAddress(str(entry.course_id), str(entry.module_state_key), entry.module_type)
    span = Span(older_than=(entry.student_module_id, entry.version + 1))
    found = all_entries(
        {"student_id": entry.student_id},
        address,
        span,
        columns=lambda entries: entries.values_list(*LINK_COLUMNS, named=True),
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
