"""One field of each of many blocks with rows, in one call."""

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

LIKE_RAW = Target(STORE, RAW, at_most=1.5)
# The last ratio is the maximum that the database allows.
PER_BLOCK_LEFT_BEHIND = [Target(PER_BLOCK, STORE, at_least=20), Target(PER_BLOCK, RAW)]
VARIANTS = [
    ("10 blocks", 10, course.CAPA, Rounds(150, 5), [LIKE_RAW]),
    ("100 blocks", 100, course.CAPA, Rounds(50, 3), [LIKE_RAW, *PER_BLOCK_LEFT_BEHIND]),
    ("100 blocks, short states", 100, course.SHORT, Rounds(50, 3), [LIKE_RAW, *PER_BLOCK_LEFT_BEHIND]),
    ("500 blocks", 500, course.CAPA, Rounds(15, 2), [LIKE_RAW]),
]


def measure(options: Options) -> Iterator[Measurement]:
    for variant, blocks, shape, rounds, targets in VARIANTS:
        keys = [course.usage_key(number) for number in range(blocks)]
        kinds = (Store, Raw, PerBlock, SimpleHistory, SimpleHistoryInBulk, Plain)
        writers = [kind(keys, shape) for kind in kinds]
        settle()
        contenders = [writer.contender(writer.next_many) for writer in writers]
        samples = interleave(contenders, rounds, options)
        yield Measurement("batch_write", variant, "ms", in_unit(samples, 1e3), targets)


CASE = Case("batch_write", "set_many over many blocks, existing rows", measure)
