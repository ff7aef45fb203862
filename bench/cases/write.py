"""One field of each of many blocks with existing rows, in one call: in autocommit, and inside ``atomic()``."""

from collections.abc import Iterator

from bench import course
from bench.case import RAW, STORE, Case, Measurement, Options, Rounds, blocks_text
from bench.contenders.raw import Raw
from bench.contenders.store import Store
from bench.databases import clear, settle
from bench.targets import at_most
from bench.timing import in_unit, interleave

ROWS_WRITTEN_IN_TURN = 50
"""rows of each contender in the measurement of one block"""
TARGETS = {1: 1.2, 10: 1.3, 100: 1.2, 500: 1.3}
ROUNDS = {
    1: Rounds(60, 2, operations=12),
    10: Rounds(40, 2, operations=8),
    100: Rounds(30, 2, operations=3),
    500: Rounds(25, 1),
}
"""by number of blocks"""
WAYS = {"autocommit": False, "inside atomic()": True}


def measure(options: Options) -> Iterator[Measurement]:
    for blocks in options.sizes(TARGETS):
        for shape in options.shapes():
            clear()
            rows = blocks if blocks > 1 else ROWS_WRITTEN_IN_TURN
            keys = [course.usage_key(number) for number in range(rows)]
            writers = [Store(keys, shape), Raw(keys, shape)]
            settle()
            for way, atomic in WAYS.items():
                contenders = [writer.contender(blocks, atomic=atomic) for writer in writers]
                samples = interleave(contenders, ROUNDS[blocks], options)
                variant = f"{blocks_text(blocks)}, {shape.name} states, {way}"
                target = at_most(STORE, RAW, TARGETS[blocks])
                yield Measurement("write", variant, "ms", in_unit(samples, 1e3), [target])


CASE = Case("write", "set_many, existing rows", measure, by_default=True)
