"""``has``, then ``get``, of cached fields: a page makes these calls hundreds of times."""

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
    """Return the operation that calls ``has`` and ``get`` for every key."""

    def read() -> list[Any]:
        return [store.get(key) for key in keys if store.has(key)]

    return read


def measure(options: Options) -> Iterator[Measurement]:
    usage_keys = [course.usage_key(number) for number in range(BLOCKS)]
    for shape in options.shapes():
        writer = Store(usage_keys, shape)
        keys = course.field_keys(usage_keys, writer.learner.pk, shape.state(0))
        expected = [value for number in range(BLOCKS) for value in shape.state(number).values()]
        stores = {STORE: writer.kvs, DICT: DictKeyValueStore(dict(zip(keys, expected, strict=True)))}
        contenders = [contender(name, reading(store, keys), expected) for name, store in stores.items()]
        samples = interleave(contenders, Rounds(30, 2, operations=10), options)
        per_pair = in_unit(samples, 1e6 / len(keys))
        yield Measurement(
            "cached_read", f"per field, {shape.name} states", "us", per_pair, [Target(STORE, DICT, at_most=3)]
        )


def contender(name: str, read: Callable[[], list[Any]], expected: list[Any]) -> Contender:
    def check() -> None:
        assert read() == expected, f"{name} does not return the stored values."

    return Contender(name, lambda: read, check)


CASE = Case("cached_read", "has, then get, of a cached field", measure)
