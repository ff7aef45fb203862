"""One write into histories of three sizes, in turn."""

from collections.abc import Iterator
from functools import partial

from django.conf import settings

from bench import course
from bench.case import Case, Contender, Measurement, Options, Rounds, Target
from bench.contenders.store import Store
from bench.contenders.writer import Operation
from bench.databases import ALIASES, histories, kept_in, settle, vendor
from bench.filling import fill_history, insert_rows
from bench.settings import GROWN, HISTORY
from bench.timing import in_unit, interleave

VERSIONS = 50
"""entries of each row in the filled history"""
ENTRIES = dict(zip(GROWN, (1_000, 100_000, 3_000_000), strict=True))
# The table is not clustered by time: with 3,000,000 entries its indexes exceed the usual buffer pool, and filling
# takes too long.
FEWER = {"mysql": {"history_large": 1_000_000}}
QUICK = dict(zip(GROWN, (1_000, 10_000, 30_000), strict=True))


class Among(Store):
    """Writes each row once; the ids are evenly distributed among the ids of the filled history."""

    def __init__(self, alias: str, ids: range) -> None:
        self.alias = alias
        self.ids = ids
        super().__init__([course.usage_key(number) for number in ids], course.SHORT)
        self.unwritten = iter(self.keys)
        self.name = alias.removeprefix("history_")

    def fill(self) -> None:
        states = [course.text(self.shape.state(number)) for number in self.ids]
        insert_rows(self.learner.pk, self.ids, [str(key) for key in self.keys], states)
        self.load()

    def verify(self) -> None:
        """Skip the verification, because the filled entries have invented digests."""

    def next_one(self) -> Operation:
        settings.HISTORY_DATABASE_ALIAS = self.alias
        return self.one(next(self.unwritten), self.value(next(self.turns)))


def measure(options: Options) -> Iterator[Measurement]:
    entries = QUICK if options.quick else ENTRIES | FEWER.get(vendor(), {})
    rounds = Rounds(600, 20)
    # The rounds, a profile, and one write for the check.
    writes = 2 * (rounds.chosen(options) + rounds.warmup(options)) + 1
    with histories(list(entries)), kept_in(HISTORY):
        for alias, number in entries.items():
            fill_history(alias, number, VERSIONS)
        rows = max(entries.values()) // VERSIONS
        writers = {alias: Among(alias, ids) for alias, ids in spread_ids(rows, writes, list(entries)).items()}
        settle([*ALIASES, *entries])
        contenders = [contender(writer, entries[alias]) for alias, writer in writers.items()]
        samples = interleave(contenders, rounds, options)
    first, *larger = samples
    targets = [Target(name, first, at_most=1.1) for name in larger]
    yield Measurement("growth", "short states", "ms", in_unit(samples, 1e3), targets)


def spread_ids(rows: int, writes: int, aliases: list[str]) -> dict[str, range]:
    """Return different odd ids for every history, among the even ids from 2 to 2 * ``rows``."""
    step = max(2 * rows // writes // 2 * 2, 2 * len(aliases))
    return {alias: range(2 * place + 1, 2 * place + 1 + step * writes, step) for place, alias in enumerate(aliases)}


def contender(writer: Among, entries: int) -> Contender:
    return Contender(f"{entries:,} entries", writer.next_one, partial(writer.check, writer.next_one, 1))


CASE = Case("growth", "One write as history grows", measure)
