"""Writes to existing rows of 1 and of 100 blocks, compared with other packages and with Django's ``save()``."""

from collections.abc import Iterator

from bench import course
from bench.case import PER_BLOCK, STORE, Case, Measurement, Options, Rounds, Target, blocks_text
from bench.contenders.per_block import PerBlock
from bench.contenders.plain import Plain
from bench.contenders.simple_history import SimpleHistory, SimpleHistoryInBulk
from bench.contenders.store import Store
from bench.databases import clear, settle
from bench.timing import in_unit, interleave

ROUNDS = {1: Rounds(40, 2, operations=8), 100: Rounds(15, 1)}
"""by number of blocks"""


def measure(options: Options) -> Iterator[Measurement]:
    for blocks in options.sizes(ROUNDS):
        for shape in options.shapes():
            clear()
            keys = [course.usage_key(number) for number in range(blocks)]
            kinds = [Store, PerBlock, SimpleHistory, Plain] + [SimpleHistoryInBulk] * (blocks > 1)
            contenders = [kind(keys, shape).contender(blocks) for kind in kinds]
            settle()
            samples = interleave(contenders, ROUNDS[blocks], options)
            variant = f"{blocks_text(blocks)}, {shape.name} states"
            targets = [Target(STORE, PER_BLOCK, at_most=1)]
            yield Measurement("peers", variant, "ms", in_unit(samples, 1e3), targets)


CASE = Case("peers", "set_many beside peers, existing rows", measure)
