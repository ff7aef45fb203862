"""A FieldDataCache over many blocks is made, then every stored field of every block is read once."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from opaque_keys.edx.keys import UsageKey

from bench import course
from bench.case import RAW, STORE, Case, Contender, Measurement, Options, Rounds, Target
from bench.contenders.raw import Raw
from bench.contenders.readers import raw_states
from bench.databases import settle
from bench.timing import in_unit, interleave
from kvstore.api import DjangoKeyValueStore, FieldDataCache

ROUNDS = {100: Rounds(100, 5), 1000: Rounds(20, 3)}
"""by number of blocks"""


class Reader:
    """A learner with a state of every block, and the two ways to read all of it."""

    def __init__(self, keys: Sequence[UsageKey]) -> None:
        self.keys = keys
        self.raw = Raw(keys)
        self.learner = self.raw.learner
        self.blocks = [course.block(key, self.learner.pk) for key in keys]
        self.texts = [str(key) for key in keys]
        self.names = list(course.state(0))
        self.field_keys = course.field_keys(keys, self.learner.pk)

    def by_store(self) -> list[Any]:
        """Return the values of all fields, read through the KeyValueStore."""
        kvs = DjangoKeyValueStore(FieldDataCache(self.blocks, course.COURSE, self.learner))
        return [kvs.get(key) for key in self.field_keys]

    def by_raw(self) -> list[Any]:
        """Return the values of all fields, by one SELECT and one json.loads for each block; nothing is copied."""
        states = raw_states(self.raw, self.texts)
        return [states[key][name] for key in self.texts for name in self.names]

    def contender(self, name: str, read: Callable[[], list[Any]]) -> Contender:
        expected = [value for number in range(len(self.keys)) for value in course.state(number).values()]

        def check() -> None:
            assert read() == expected, f"{name} did not read what was stored."

        return Contender(name, lambda: read, check)


def measure(options: Options) -> Iterator[Measurement]:
    for blocks, rounds in ROUNDS.items():
        reader = Reader([course.usage_key(number) for number in range(blocks)])
        settle()
        contenders = [reader.contender(STORE, reader.by_store), reader.contender(RAW, reader.by_raw)]
        samples = interleave(contenders, rounds, options)
        targets = [Target(STORE, RAW, at_most=1.5)]
        yield Measurement("prefetch", f"{blocks} blocks", "ms", in_unit(samples, 1e3), targets)


CASE = Case("prefetch", "FieldDataCache over many blocks, then every field read once", measure)
