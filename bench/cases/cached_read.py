"""has, then get, of cached fields: a page calls both hundreds of times."""

from collections.abc import Callable, Iterator
from typing import Any

from xblock.runtime import DictKeyValueStore, KeyValueStore

from bench import course
from bench.case import STORE, Case, Contender, Measurement, Options, Rounds, Target
from bench.contenders.store import Store
from bench.timing import in_unit, interleave

BLOCKS = 50
DICT = "DictKeyValueStore"


def reading(store: KeyValueStore, keys: list[KeyValueStore.Key]) -> Callable[[], list[Any]]:
    """Return the operation that asks ``store`` for every key whether it is there, and for its value."""

    def read() -> list[Any]:
        return [store.get(key) for key in keys if store.has(key)]

    return read


def measure(options: Options) -> Iterator[Measurement]:
    usage_keys = [course.usage_key(number) for number in range(BLOCKS)]
    writer = Store(usage_keys)
    keys = course.field_keys(usage_keys, writer.learner.pk)
    expected = [value for number in range(BLOCKS) for value in course.state(number).values()]
    stores = {STORE: writer.kvs, DICT: DictKeyValueStore(dict(zip(keys, expected, strict=True)))}
    contenders = [contender(name, reading(store, keys), expected) for name, store in stores.items()]
    samples = interleave(contenders, Rounds(300, 10), options)
    per_pair = in_unit(samples, 1e6 / len(keys))
    yield Measurement("cached_read", "per field", "us", per_pair, [Target(STORE, DICT, at_most=3)])


def contender(name: str, read: Callable[[], list[Any]], expected: list[Any]) -> Contender:
    def check() -> None:
        assert read() == expected, f"{name} does not hold what was stored."

    return Contender(name, lambda: read, check)


CASE = Case("cached_read", "has, then get, of a cached field", measure)
