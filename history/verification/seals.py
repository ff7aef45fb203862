"""A seal: one digest over the newest committed entry of every row.

Each of these entries proves the entries below it by its digest, so a seal proves all committed entries.
docs/reference/digests.md specifies the format.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.utils import timezone

from history.export import iso
from history.reading.scan import entries_between, next_row_ids, rows_between
from history.verification.summaries import summarize
from kvstore.versioning.digests import format_of

SEAL_FORMAT = 1
BATCH_SIZE = 200
"""row ids"""


class SealedHead(NamedTuple):
    """A committed entry that no other committed entry names."""

    row_id: int
    version: int
    entries: int
    """number of entries that it proves, itself included"""
    digest: bytes

    def line(self) -> str:
        values = [self.row_id, self.version, self.entries, self.digest.hex()]
        return json.dumps(values, separators=(",", ":")) + "\n"


@dataclass
class Seal:
    """Sums over the sealed heads, added in order."""

    time: str
    """of the start of the run, ISO 8601 in UTC"""
    rows: int = 0
    entries: int = 0
    last: SealedHead | None = None
    _hash: Any = field(default_factory=hashlib.sha256)

    def add(self, head: SealedHead) -> str:
        self.rows += self.last is None or self.last.row_id != head.row_id
        self.entries += head.entries
        self.last = head
        line = head.line()
        self._hash.update(line.encode("ascii"))
        return line

    def first_line(self) -> dict[str, Any]:
        return {"format": SEAL_FORMAT, "time": self.time}

    def last_line(self) -> dict[str, Any]:
        """Return the values of the last line: the digest and the sums."""
        return {"seal": self._hash.hexdigest(), **self.first_line(), "rows": self.rows, "entries": self.entries}


@dataclass
class Sealing:
    """Progress of a run."""

    last_id: int = 0
    rows: int = 0
    """rows read, with or without entries"""
    malformed: list[tuple[int, int]] = field(default_factory=list)
    """row id and version of the entries with a malformed digest, which are not sealed"""


def seal(progress: Sealing, *, after_batch: Callable[[], object] = lambda: None) -> Iterator[str]:
    """Yield the lines of a seal over all committed entries, delivered and pending.

    Entries that are written during the run may be sealed or not. Raises the error of a database that fails.
    """
    sums = Seal(iso(timezone.now()))
    yield json.dumps(sums.first_line()) + "\n"
    while ids := next_row_ids(progress.last_id, BATCH_SIZE):
        for head in sorted(_heads_between(ids[0], ids[-1])):
            if format_of(head.digest):
                yield sums.add(head)
            else:
                progress.malformed.append((head.row_id, head.version))
        progress.rows += len(ids)
        progress.last_id = ids[-1]
        after_batch()
    yield json.dumps(sums.last_line()) + "\n"


def _heads_between(first: int, last: int) -> Iterator[SealedHead]:
    # Read the rows first: then every entry belongs to the row as read, or is newer.
    rows = rows_between(first, last, with_states=False)
    entries = entries_between(first, last, with_states=False)
    for summary in summarize(rows, entries, with_digests=False):
        for segment in summary.segments:
            yield SealedHead(summary.row_id, segment.version, segment.entries, segment.digest)
