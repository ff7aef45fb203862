"""Create a FieldDataCache over many blocks, then read one field of each block, or every stored field, once."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from opaque_keys.edx.keys import UsageKey

from bench import course
from bench.case import RAW, STORE, Case, Contender, Measurement, Options, Rounds, Target
from bench.contenders.raw import Raw
from bench.databases import clear, settle
from bench.targets import at_most
from bench.timing import in_unit, interleave
from kvstore.api import DjangoKeyValueStore, FieldDataCache

ROUNDS = {100: Rounds(50, 2, operations=6), 1000: Rounds(30, 1)}
"""by number of blocks"""
TARGETS = {100: 1.6, 1000: 1.8}


class Reader:
    """Reads fields of all blocks of a learner, through the store or by one SELECT."""

    def __init__(self, raw: Raw, names: Sequence[str]) -> None:
        self.raw = raw
        self.names = names
        self.blocks = [course.block(key, raw.learner.pk) for key in raw.keys]
        self.texts = [str(key) for key in raw.keys]
        self.field_keys = course.field_keys(raw.keys, raw.learner.pk, names)

    def by_store(self) -> list[Any]:
        """Return the values read through the KeyValueStore."""
        kvs = DjangoKeyValueStore(FieldDataCache(self.blocks, course.COURSE, self.raw.learner))
        return [kvs.get(key) for key in self.field_keys]

    def by_raw(self) -> list[Any]:
        """Return the values from one SELECT. Each state is parsed once, and the values are not copied."""
        states = self.raw.states(self.texts)
        return [states[key][name] for key in self.texts for name in self.names]

    def contenders(self) -> list[Contender]:
        """Return both contenders, which check their values against the stored states."""
        states = [self.raw.shape.state(number) for number in range(len(self.texts))]
        expected = [state[name] for state in states for name in self.names]
        return [contender(STORE, self.by_store, expected), contender(RAW, self.by_raw, expected)]


def contender(name: str, read: Callable[[], list[Any]], expected: list[Any]) -> Contender:
    def check() -> None:
        assert read() == expected, f"{name} did not return the stored values."

    return Contender(name, lambda: read, check)


def measure(options: Options) -> Iterator[Measurement]:
    for blocks in options.sizes(ROUNDS):
        for shape in options.shapes():
            clear()
            raw = Raw(keys_of(blocks), shape)
            settle()
            ways = {
                "one field of each": ([course.FIELD], at_most(STORE, RAW, TARGETS[blocks])),
                "every field": (list(shape.state(0)), Target(STORE, RAW)),
            }
            for way, (names, target) in ways.items():
                samples = interleave(Reader(raw, names).contenders(), ROUNDS[blocks], options)
                variant = f"{blocks:,} blocks, {shape.name} states, {way}"
                yield Measurement("prefetch", variant, "ms", in_unit(samples, 1e3), [target])


def keys_of(blocks: int) -> list[UsageKey]:
    return [course.usage_key(number) for number in range(blocks)]


CASE = Case("prefetch", "FieldDataCache, then fields read", measure, by_default=True)
