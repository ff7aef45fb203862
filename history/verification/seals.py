"""A seal: one digest over the newest entries of all rows.

Each of these entries proves those below it by its digest, so the seal proves all entries that were committed when it
was made. docs/reference/digests.md specifies the format.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, NamedTuple

from django.utils import timezone

from history.export import iso
from history.reading.scan import entries_between, next_row_ids, rows_between
from history.verification.summaries import checks_of
from kvstore.versioning.digests import format_of

SEAL_FORMAT = 1
BATCH_SIZE = 200
"""rows read at once"""


class SealedHead(NamedTuple):
    """A committed entry that no other committed entry names, and the number of entries that it proves."""

    row_id: int
    version: int
    entries: int
    """itself and those below it, each named by the one above"""
    digest: bytes

    def line(self) -> str:
        """Return the line that the seal covers."""
        values = [self.row_id, self.version, self.entries, self.digest.hex()]
        return json.dumps(values, separators=(",", ":")) + "\n"


@dataclass
class Seal:
    """Sums over sealed heads, computed in their order."""

    time: str
    """when the seal was begun, ISO 8601 in UTC"""
    rows: int = 0
    entries: int = 0
    last: SealedHead | None = None
    _hash: Any = field(default_factory=hashlib.sha256)

    def add(self, head: SealedHead) -> str:
        """Take in the next head and return its line."""
        self.rows += self.last is None or self.last.row_id != head.row_id
        self.entries += head.entries
        self.last = head
        line = head.line()
        self._hash.update(line.encode("ascii"))
        return line

    def first_line(self) -> dict[str, Any]:
        """Return the values of the first line of a seal."""
        return {"format": SEAL_FORMAT, "time": self.time}

    def last_line(self) -> dict[str, Any]:
        """Return the values of the last line of a seal, which sums it up."""
        return {"seal": self._hash.hexdigest(), **self.first_line(), "rows": self.rows, "entries": self.entries}


@dataclass
class Sealing:
    """How far a run has come."""

    last_id: int = 0
    rows: int = 0
    """rows read, with or without entries"""
    malformed: list[tuple[int, int]] = field(default_factory=list)
    """the row and the version of entries that were not sealed, because their digests are malformed"""


def seal(
    progress: Sealing, *, batch_size: int = BATCH_SIZE, after_batch: Callable[[], object] = lambda: None
) -> Iterator[str]:
    """Yield the lines of a seal: of all entries that are committed now, delivered and pending.

    Entries that are written meanwhile may be sealed or not. Raises the error of a database that fails.
    """
    sums = Seal(iso(timezone.now()))
    yield json.dumps(sums.first_line()) + "\n"
    while ids := next_row_ids(progress.last_id, batch_size):
        heads = sorted(_heads_between(ids[0], ids[-1]))
        usable = [head for head in heads if format_of(head.digest)]
        progress.malformed += [(head.row_id, head.version) for head in heads if not format_of(head.digest)]
        yield "".join(map(sums.add, usable))
        progress.rows += len(ids)
        progress.last_id = ids[-1]
        after_batch()
    yield json.dumps(sums.last_line()) + "\n"


def by_row(heads: Iterable[SealedHead]) -> Iterator[tuple[int, list[SealedHead]]]:
    """Group heads, in their order, by the id of their row."""
    for row_id, of_row in groupby(heads, key=lambda head: head.row_id):
        yield row_id, list(of_row)


def _heads_between(first: int, last: int) -> Iterator[SealedHead]:
    # The rows before the entries: an entry that is read belongs to the row that was read, or is newer.
    rows = rows_between(first, last, with_states=False)
    entries = entries_between(first, last, with_states=False)
    for check in checks_of(rows, entries, with_digests=False):
        for segment in check.segments:
            yield SealedHead(check.row_id, segment.version, segment.entries, segment.digest)
