"""Compares a seal with the stored entries, while learners write, and reports entries that were changed or removed."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from operator import attrgetter

from django.db import router
from django.db.models import Max

from history.exceptions import UnusableSeal
from history.models import Erasure
from history.reading.scan import delivered, entries_between
from history.recording.delivery import waiting
from history.verification.row_check import SHOWN_VERSIONS, Problem
from history.verification.seal_files import SealFile
from history.verification.seals import SealedHead, by_row
from history.verification.summaries import check_digest
from history.verification.verify import BATCH_SIZE, Verification
from kvstore.signals import StateVersion

CHANGED = "sealed_changed"
REMOVED = "sealed_removed"


@dataclass
class SealVerification(Verification):
    """How far a run has come; counts sealed rows and entries."""

    erased: int = 0
    """rows whose entries were erased since, as the record of the erasure proves"""


@dataclass
class Trail:
    """The entries under a sealed head, followed downwards by their digests."""

    head: SealedHead
    version: int
    """of the entry that is expected next"""
    digest: bytes | None
    found: int = 0
    changed: list[int] = field(default_factory=list)
    """the versions that have other values, or another digest"""
    unknown_format: list[int] = field(default_factory=list)
    ended: bool = False
    """whether the expected entry is not there"""

    @property
    def left(self) -> int:
        """The number of sealed entries that were not found."""
        return self.head.entries - self.found

    def follow(self, version: int, entries: Mapping[bytes, StateVersion], *, with_digests: bool) -> None:
        """Take the expected entry from those of a version, by digest; the versions come in falling order."""
        if self.ended or not self.left or version > self.version:
            return
        entry = entries.get(self.digest or b"") if version == self.version else None
        if entry is None:
            self.ended = True
            if version == self.version and not self._is_misled:
                self.changed.append(version)
            return
        if with_digests:
            check_digest(entry, self.changed, self.unknown_format)
        self.found += 1
        self.version, self.digest = version - 1, entry.previous

    @property
    def _is_misled(self) -> bool:
        """Whether the entry above was changed, so that the digest that it names proves nothing."""
        return self.version + 1 in self.changed

    def problems(self) -> Iterator[Problem]:
        """Yield the problems, once every version was followed."""
        below = self.left if self._is_misled else self.left - 1
        unverified = f"; {below} sealed entries below cannot be verified" if below > 0 else ""
        if self.changed:
            detail = f"the values or the digest are not those that were sealed{unverified}"
            yield self._problem(CHANGED, self.changed, len(self.changed), detail)
        elif self.left:
            yield self._problem(REMOVED, [self.version], self.left, f"the entry is missing{unverified}")
        if self.unknown_format:
            detail = "the digest is in a format of a newer release; upgrade to verify it"
            yield self._problem("format", self.unknown_format, len(self.unknown_format), detail)

    def _problem(self, kind: str, versions: Sequence[int], count: int, detail: str) -> Problem:
        return Problem(kind, self.head.row_id, list(versions[:SHOWN_VERSIONS]), count, detail=detail)


def require_known(file: SealFile) -> None:
    """Raise UnusableSeal if no sealed head is stored or was erased here: the seal is of another installation."""
    rows = by_row(file.heads())
    while batch := dict(islice(rows, BATCH_SIZE)):
        heads = [head for of_row in batch.values() for head in of_row]
        if _any_stored(heads) or _erased(batch):
            return
    if file.seal.rows:
        raise UnusableSeal(
            f"None of the {file.seal.rows} sealed rows has its sealed entry here. The seal is from another "
            "installation, or all of them were removed or changed. Check the databases that the settings name."
        )


def verify_sealed(
    file: SealFile,
    progress: SealVerification,
    *,
    digests: bool = True,
    batch_size: int = BATCH_SIZE,
    pause: float = 0,
    after_batch: Callable[[], object] = lambda: None,
) -> Iterator[Problem]:
    """Yield which sealed entries were changed or removed, in the order of the rows' ids, after ``progress.last_id``.

    Every sealed entry's digest is computed again, unless ``digests`` is false. Entries that were written since the
    seal do not matter, nor does the present state. Raises the error of a database that fails.
    """
    rows = by_row(file.heads(after=progress.last_id))
    while batch := dict(islice(rows, batch_size)):
        found = list(_problems_of(batch, progress, digests=digests))
        # After the entries: an erasure is recorded before its entries are removed.
        erased = _erased({problem.student_module_id for problem in found})
        heads = {row_id: of_row[-1].version for row_id, of_row in batch.items()}
        excused = {row_id for row_id, version in erased.items() if version >= heads[row_id]}
        progress.erased += len(excused)
        yield from (progress.add(problem) for problem in found if problem.student_module_id not in excused)
        progress.last_id = max(batch)
        after_batch()
        time.sleep(pause)


def _problems_of(
    batch: Mapping[int, Sequence[SealedHead]], progress: SealVerification, *, digests: bool
) -> Iterator[Problem]:
    by_id = {row_id: [Trail(head, head.version, head.digest) for head in heads] for row_id, heads in batch.items()}
    entries = entries_between(min(batch), max(batch), with_states=digests)
    for (row_id, version), level in groupby(entries, key=attrgetter("student_module_id", "version")):
        by_digest: dict[bytes, StateVersion] = {}
        for entry in level:
            by_digest.setdefault(entry.digest, entry)
        for trail in by_id.get(row_id, ()):
            trail.follow(version, by_digest, with_digests=digests)
    for trails in by_id.values():
        progress.rows += 1
        for trail in trails:
            progress.entries += trail.found
            yield from trail.problems()


def _any_stored(heads: Sequence[SealedHead]) -> bool:
    places = {(head.row_id, head.version, head.digest) for head in heads}
    ids, versions = {head.row_id for head in heads}, {head.version for head in heads}
    # Pending entries before delivered ones: an entry may be delivered in between.
    for entries in (waiting(), delivered()):
        near = entries.filter(student_module_id__in=ids, version__in=versions)
        stored = near.values_list("student_module_id", "version", "digest")
        if not places.isdisjoint(stored):
            return True
    return False


def _erased(row_ids: Collection[int]) -> Mapping[int, int]:
    """Return the last version of each of these rows whose erasure is recorded."""
    records = Erasure.objects.using(router.db_for_write(Erasure)).filter(student_module_id__in=row_ids)
    return dict(records.values_list("student_module_id").annotate(Max("version")))
