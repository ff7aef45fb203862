"""Tells the problems of one row from its check, and repairs those that can be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from itertools import chain, islice
from typing import Any

from django.db import router, transaction
from django.utils import timezone

from history.conf import conf, is_recorded
from history.reading.chain import proved
from history.recording.erasure import ERASE, erase_entries
from history.verification.summaries import RowSummary, checks_between, is_deletion
from kvstore.models import StudentModule
from kvstore.storage.writing import record_present_state
from kvstore.versioning import rows
from kvstore.versioning.context import change_context

REPAIR_REASON = "recorded by verify_history"
SHOWN_VERSIONS = 50


@dataclass
class Problem:
    """Something that is wrong with the history of one row."""

    kind: str
    """altered, format, gap, differs, unrecorded, branch, phantom, vanished, unproven or erasable"""
    student_module_id: int
    versions: list[int] = field(default_factory=list)
    """at most the first fifty"""
    count: int = 0
    repaired: bool = False
    detail: str = ""

    @property
    def harmless(self) -> bool:
        """Whether it may stay: no reader shows an entry that was rolled back."""
        return self.kind == "phantom"

    def as_dict(self) -> dict[str, Any]:
        """Return all of it, for JSON."""
        return {"problem": self.kind, **{name: value for name, value in asdict(self).items() if name != "kind"}}


def check_row(row_id: int, *, repair: bool, with_digests: bool, in_flight: timedelta) -> Iterator[Problem]:
    """Yield the problems of one row, locked so that no write to it is under way."""
    using = router.db_for_write(StudentModule)
    with transaction.atomic(using=using):
        rows.lock_by_id(StudentModule, row_id, using)
        for check in sorted(checks_between(row_id, row_id, with_digests=with_digests), key=lambda one: one.identity):
            yield from _altered(check)
            yield from _outside(check)
            if check.row is not None:
                yield from _problems_of_row(check, repair=repair)
            else:
                yield from _problems_of_gone(check, repair=repair, in_flight=in_flight)


def _altered(check: RowSummary) -> Iterator[Problem]:
    if check.altered:
        yield _problem("altered", check, check.altered, "the values do not have the digest that they are stored with")
    if check.unknown_format:
        detail = "the digest is in a format of a newer release; upgrade to verify it"
        yield _problem("format", check, check.unknown_format, detail)


def _outside(check: RowSummary) -> Iterator[Problem]:
    """Yield the entries beside the chain; those of a row that is gone without a deletion are another problem."""
    if check.row is None and check.newest is None:
        return
    certain = proved(check.outside)
    branch = [link.version for link in check.outside if link.digest in certain or check.deleted_outside]
    others = [link.version for link in check.outside if link.digest not in certain and not check.deleted_outside]
    if branch:
        detail = "committed, and the state does not descend from it: the state was set back; see recover_state"
        yield _problem("branch", check, branch, detail)
    if others:
        yield _problem("phantom", check, others, "no digest leads to it: it was rolled back, or the state was set back")


def _problems_of_row(check: RowSummary, *, repair: bool) -> Iterator[Problem]:
    row = check.row
    if row is None or not is_recorded(row.module_type):
        return
    repaired = False
    if check.newest is None or check.newest.version < row.version or check.differs:
        repaired = repair
        if repair:
            with change_context(reason=REPAIR_REASON):
                record_present_state(row.row_id)
    if check.newest is None:
        detail = f"the row is at version {row.version} and has no entry; repair records its state as the next version"
        yield _problem("unrecorded", check, [row.version], detail, repaired=repaired)
    elif check.missing:
        detail = "the entries are missing; nothing holds their values"
        yield _problem("gap", check, _versions(check.missing), detail, count=_count(check.missing))
    if check.differs:
        detail = "the row was changed past the store; repair records its state as the next version"
        yield _problem("differs", check, [row.version], detail, repaired=repaired)


def _problems_of_gone(check: RowSummary, *, repair: bool, in_flight: timedelta) -> Iterator[Problem]:
    if is_deletion(check.newest):
        if check.missing:
            yield _problem("gap", check, _versions(check.missing), "", count=_count(check.missing))
        if conf.HISTORY_ON_DELETE == ERASE:
            if repair:
                erase_entries(check.row_id, check.identity)
            detail = "the row was deleted, its entries were not erased"
            yield _problem("erasable", check, [check.newest.version if check.newest else 0], detail, repaired=repair)
        return
    newest = max(link.created for link in check.outside)
    if newest > timezone.now() - in_flight:
        # The transaction that makes the row may still be open.
        return
    highest = [max(link.version for link in check.outside)]
    if proved(check.outside):
        detail = "the row was committed and is gone without an entry that records its deletion; see recover_state"
        yield _problem("vanished", check, highest, detail)
    else:
        detail = "no row; all its entries may be of one transaction that was rolled back"
        yield _problem("unproven", check, highest, detail)


def _problem(
    kind: str, check: RowSummary, versions: Iterable[int], detail: str, *, count: int = 0, repaired: bool = False
) -> Problem:
    named = list(versions)
    return Problem(kind, check.row_id, named[:SHOWN_VERSIONS], count or len(named), repaired, detail)


def _versions(gaps: Iterable[tuple[int, int]]) -> list[int]:
    # A row of a billion versions with one entry is no reason to list a billion numbers.
    rising = (range(first, last + 1) for first, last in reversed(list(gaps)))
    return list(islice(chain.from_iterable(rising), SHOWN_VERSIONS))


def _count(gaps: Iterable[tuple[int, int]]) -> int:
    return sum(last - first + 1 for first, last in gaps)
