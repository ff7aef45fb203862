"""Compares a seal with the stored entries while learners write, and reports changed and removed entries."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from operator import attrgetter

from django.db import router
from django.db.models import Max

from history.exceptions import UnusableSeal
from history.models import Erasure
from history.reading.scan import delivered, entries_between
from history.recording.pending import pending_entries
from history.verification.row_check import MAX_NAMED_VERSIONS, UNKNOWN_FORMAT, Problem
from history.verification.seal_files import SealFile
from history.verification.seals import SealedHead
from history.verification.summaries import check_digest
from history.verification.verify import BATCH_SIZE, Verification
from kvstore.signals import StateVersion


@dataclass
class SealVerification(Verification):
    """Progress and results of a run; counts sealed rows and entries."""

    erased: int = 0
    """rows with an erasure recorded since the seal"""


@dataclass
class SealedChain:
    """The entries that a sealed head proves, found from the highest version down by their digests."""

    head: SealedHead
    version: int
    """of the next expected entry"""
    digest: bytes | None
    """of the next expected entry"""
    found: int = 0
    """number of entries"""
    changed: list[int] = field(default_factory=list)
    """versions with other values or another digest"""
    unknown_format: list[int] = field(default_factory=list)
    is_broken: bool = False
    """whether the expected entry is missing"""

    @property
    def not_found(self) -> int:
        return self.head.entries - self.found

    def add(self, version: int, entries: Mapping[bytes, StateVersion], *, with_digests: bool) -> None:
        """Add the entry that is expected at this version, from all its entries by digest. Versions must fall."""
        if self.is_broken or not self.not_found or version > self.version:
            return
        entry = entries.get(self.digest or b"") if version == self.version else None
        if entry is None:
            self.is_broken = True
            if version == self.version and not self._is_digest_unreliable:
                self.changed.append(version)
            return
        if with_digests:
            check_digest(entry, self.changed, self.unknown_format)
        self.found += 1
        self.version, self.digest = version - 1, entry.previous

    @property
    def _is_digest_unreliable(self) -> bool:
        """Whether the entry that names the expected digest was changed itself."""
        return self.version + 1 in self.changed

    def problems(self) -> Iterator[Problem]:
        """Yield the problems, after all versions were added."""
        below = self.not_found if self._is_digest_unreliable else self.not_found - 1
        unverified = f"; {below} sealed entries below cannot be verified" if below > 0 else ""
        if self.changed:
            detail = f"the values or the digest are not those that were sealed{unverified}"
            yield self._problem("sealed_changed", self.changed, len(self.changed), detail)
        elif self.not_found:
            yield self._problem("sealed_removed", [self.version], self.not_found, f"the entry is missing{unverified}")
        if self.unknown_format:
            yield self._problem("format", self.unknown_format, len(self.unknown_format), UNKNOWN_FORMAT)

    def _problem(self, kind: str, versions: Sequence[int], count: int, detail: str) -> Problem:
        return Problem(kind, self.head.row_id, list(versions[:MAX_NAMED_VERSIONS]), count, detail=detail)


def require_known(file: SealFile) -> None:
    """Raise UnusableSeal if every sealed head is missing and no erasure is recorded: another installation made it."""
    for batch in _batches(file.heads()):
        if _any_stored([head for heads in batch.values() for head in heads]) or _erased_versions(batch):
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
    after_batch: Callable[[], object] = lambda: None,
) -> Iterator[Problem]:
    """Yield the changed and removed entries of the rows above ``progress.last_id``, in the order of their ids.

    ``digests`` computes the digest of every sealed entry. Later entries and the present state have no effect. Raises
    the error of a database that fails.
    """
    for batch in _batches(file.heads(after=progress.last_id)):
        found = list(_find_problems(batch, progress, digests=digests))
        # Read after the entries, because an erasure is recorded before its entries are removed.
        erased = _erased_versions({problem.student_module_id for problem in found})
        excused = {row_id for row_id, version in erased.items() if version >= batch[row_id][-1].version}
        progress.erased += len(excused)
        yield from (progress.add(problem) for problem in found if problem.student_module_id not in excused)
        progress.last_id = max(batch)
        after_batch()


def _batches(heads: Iterable[SealedHead]) -> Iterator[dict[int, list[SealedHead]]]:
    """Group heads by row id, a limited number of rows at once."""
    rows = ((row_id, list(of_row)) for row_id, of_row in groupby(heads, key=attrgetter("row_id")))
    while batch := dict(islice(rows, BATCH_SIZE)):
        yield batch


def _find_problems(
    batch: Mapping[int, Sequence[SealedHead]], progress: SealVerification, *, digests: bool
) -> Iterator[Problem]:
    chains = {
        row_id: [SealedChain(head, head.version, head.digest) for head in heads] for row_id, heads in batch.items()
    }
    entries = entries_between(min(batch), max(batch), with_states=digests)
    for (row_id, version), level in groupby(entries, key=attrgetter("student_module_id", "version")):
        by_digest: dict[bytes, StateVersion] = {}
        for entry in level:
            by_digest.setdefault(entry.digest, entry)
        for chain in chains.get(row_id, ()):
            chain.add(version, by_digest, with_digests=digests)
    for of_row in chains.values():
        progress.rows += 1
        for chain in of_row:
            progress.entries += chain.found
            yield from chain.problems()


def _any_stored(heads: Sequence[SealedHead]) -> bool:
    sealed = {(head.row_id, head.version, head.digest) for head in heads}
    ids, versions = {head.row_id for head in heads}, {head.version for head in heads}
    # Pending entries first: a delivery may move one between the queries.
    for entries in (pending_entries(), delivered()):
        near = entries.filter(student_module_id__in=ids, version__in=versions)
        if not sealed.isdisjoint(near.values_list("student_module_id", "version", "digest")):
            return True
    return False


def _erased_versions(row_ids: Collection[int]) -> Mapping[int, int]:
    records = Erasure.objects.using(router.db_for_write(Erasure)).filter(student_module_id__in=row_ids)
    return dict(records.values_list("student_module_id").annotate(Max("version")))
