"""``set_many`` of 100 blocks, compared with the ancestor's algorithm, which writes one block after another."""

from collections.abc import Iterator

from bench import course
from bench.case import PER_BLOCK, STORE, Case, Measurement, Options, Rounds
from bench.contenders.per_block import PerBlock
from bench.contenders.store import Store
from bench.databases import clear, settle
from bench.targets import at_least
from bench.timing import in_unit, interleave

BLOCKS = 100


def measure(options: Options) -> Iterator[Measurement]:
    for blocks in options.sizes([BLOCKS]):
        for shape in options.shapes():
            clear()
            keys = [course.usage_key(number) for number in range(blocks)]
            contenders = [kind(keys, shape).contender(blocks) for kind in (Store, PerBlock)]
            settle()
            samples = interleave(contenders, Rounds(15, 1), options)
            targets = [at_least(PER_BLOCK, STORE, 25)]
            yield Measurement(
                "per_block", f"{blocks} blocks, {shape.name} states", "ms", in_unit(samples, 1e3), targets
            )


CASE = Case("per_block", "One set for each block", measure, by_default=True)
