"""One field of each of many blocks whose rows exist, in one call."""

from collections.abc import Iterator

from bench import course
from bench.case import PER_BLOCK, RAW, STORE, Case, Measurement, Options, Rounds, Target
from bench.contenders.per_block import PerBlock
from bench.contenders.plain import Plain
from bench.contenders.raw import Raw
from bench.contenders.simple_history import SimpleHistory, SimpleHistoryInBulk
from bench.contenders.store import Store
from bench.databases import settle
from bench.timing import in_unit, interleave

ROUNDS = {10: Rounds(150, 5), 100: Rounds(50, 3), 500: Rounds(15, 2)}
"""by number of blocks"""


def measure(options: Options) -> Iterator[Measurement]:
    for blocks, rounds in ROUNDS.items():
        keys = [course.usage_key(number) for number in range(blocks)]
        writers = [kind(keys) for kind in (Store, Raw, PerBlock, SimpleHistory, SimpleHistoryInBulk, Plain)]
        settle()
        contenders = [writer.contender(writer.next_many) for writer in writers]
        samples = interleave(contenders, rounds, options)
        targets = [Target(STORE, RAW, at_most=1.5)]
        if blocks == 100:
            targets.append(Target(PER_BLOCK, STORE, at_least=20))
        yield Measurement("batch_write", f"{blocks} blocks", "ms", in_unit(samples, 1e3), targets)


CASE = Case("batch_write", "set_many over many blocks, existing rows", measure)
