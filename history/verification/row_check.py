"""Derives the problems of one row from its summary. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from itertools import chain, islice
from typing import Any

from django.utils import timezone

from history.conf import conf, is_recorded
from history.reading.chain import proved
from history.recording.erasure import ERASE
from history.verification.summaries import RowSummary

MAX_NAMED_VERSIONS = 50
UNKNOWN_FORMAT = "the digest is in a format of a newer release; upgrade to verify it"


@dataclass
class Problem:
    """A difference between a row and its history, or between a seal and the history."""

    kind: str
    """altered, format, gap, differs, unrecorded, branch, phantom, vanished, unproven, erasable, sealed_changed or
    sealed_removed"""
    student_module_id: int
    versions: list[int] = field(default_factory=list)
    """at most the first fifty"""
    count: int = 0
    """number of all versions"""
    repaired: bool = False
    detail: str = ""

    @property
    def is_harmless(self) -> bool:
        """Whether it may stay: no reader shows an entry that was rolled back."""
        return self.kind == "phantom"

    def as_dict(self) -> dict[str, Any]:
        """Return all fields, for JSON."""
        return {"problem": self.kind, **{name: value for name, value in asdict(self).items() if name != "kind"}}


def needs_check(summary: RowSummary) -> bool:
    """Return whether the row may have a problem. A write between the two databases' queries looks like one."""
    if summary.row is None or summary.outside or summary.gaps or summary.altered or summary.unknown_format:
        return True
    return lacks_present_state(summary)


def lacks_present_state(summary: RowSummary) -> bool:
    """Return whether a row of a recorded type has a version or values that no entry has."""
    row, newest = summary.row, summary.newest
    if row is None or not is_recorded(row.module_type):
        return False
    return newest is None or newest.version < row.version or summary.differs


def find_problems(summary: RowSummary, *, in_flight: timedelta) -> Iterator[Problem]:
    """Yield the problems of a row; ``in_flight`` is the longest duration of a transaction."""
    yield from _digest_problems(summary)
    if summary.row is None and summary.newest is None:
        yield from _missing_row_problems(summary, in_flight)
        return
    yield from _outside_problems(summary)
    if summary.row is not None:
        yield from _row_problems(summary)
    else:
        yield from _deleted_row_problems(summary)


def _digest_problems(summary: RowSummary) -> Iterator[Problem]:
    if summary.altered:
        yield _problem("altered", summary, summary.altered, "the values do not match the stored digest")
    if summary.unknown_format:
        yield _problem("format", summary, summary.unknown_format, UNKNOWN_FORMAT)


def _outside_problems(summary: RowSummary) -> Iterator[Problem]:
    certain = proved(summary.outside)
    committed = [link.version for link in summary.outside if link.digest in certain or summary.deleted_outside]
    others = [link.version for link in summary.outside if link.digest not in certain and not summary.deleted_outside]
    if committed:
        detail = "committed, but the present state does not descend from it: it is older; see recover_state"
        yield _problem("branch", summary, committed, detail)
    if others:
        detail = "no digest leads to it: it was rolled back, or the state was restored from a backup"
        yield _problem("phantom", summary, others, detail)


def _row_problems(summary: RowSummary) -> Iterator[Problem]:
    row = summary.row
    if row is None or not is_recorded(row.module_type):
        return
    if summary.newest is None:
        detail = f"the row is at version {row.version} and has no entry; repair records its state as the next version"
        yield _problem("unrecorded", summary, [row.version], detail)
    elif summary.gaps:
        yield _gap(summary, "the entries are missing; their values cannot be restored")
    if summary.differs:
        detail = "the row was changed without the store; repair records its state as the next version"
        yield _problem("differs", summary, [row.version], detail)


def _deleted_row_problems(summary: RowSummary) -> Iterator[Problem]:
    if summary.gaps:
        yield _gap(summary, "")
    if summary.newest is not None and conf.HISTORY_ON_DELETE == ERASE:
        detail = "the row was deleted, but its entries were not erased"
        yield _problem("erasable", summary, [summary.newest.version], detail)


def _missing_row_problems(summary: RowSummary, in_flight: timedelta) -> Iterator[Problem]:
    if max(link.created for link in summary.outside) > timezone.now() - in_flight:
        # The transaction that inserts the row may still be open.
        return
    highest = [max(link.version for link in summary.outside)]
    if proved(summary.outside):
        detail = "the row was committed and does not exist, but no entry records its deletion; see recover_state"
        yield _problem("vanished", summary, highest, detail)
    else:
        detail = "the row does not exist; one transaction may have written all its entries and rolled back"
        yield _problem("unproven", summary, highest, detail)


def _gap(summary: RowSummary, detail: str) -> Problem:
    # A gap may have a billion versions.
    rising = chain.from_iterable(range(first, last + 1) for first, last in reversed(summary.gaps))
    count = sum(last - first + 1 for first, last in summary.gaps)
    return Problem("gap", summary.row_id, list(islice(rising, MAX_NAMED_VERSIONS)), count, detail=detail)


def _problem(kind: str, summary: RowSummary, versions: Sequence[int], detail: str) -> Problem:
    return Problem(kind, summary.row_id, list(versions[:MAX_NAMED_VERSIONS]), len(versions), detail=detail)
