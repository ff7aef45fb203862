"""One field of one block with a row, by itself and inside a transaction of the caller."""

from collections.abc import Iterator

from bench import course
from bench.case import PER_BLOCK, RAW, STORE, Case, Measurement, Options, Rounds, Target
from bench.contenders.per_block import PerBlock
from bench.contenders.plain import Plain
from bench.contenders.raw import Raw
from bench.contenders.simple_history import SimpleHistory
from bench.contenders.store import Store
from bench.databases import settle
from bench.timing import in_unit, interleave

BLOCKS = 50
"""rows of each contender, written in turn"""

TARGETS = [Target(STORE, RAW, at_most=1.5), Target(STORE, PER_BLOCK, at_most=1)]


def measure(options: Options) -> Iterator[Measurement]:
    keys = [course.usage_key(number) for number in range(BLOCKS)]
    writers = [kind(keys) for kind in (Store, Raw, PerBlock, SimpleHistory, Plain)]
    settle()
    ways = {"autocommit": "next_one", "inside atomic()": "next_one_in_transaction"}
    for variant, way in ways.items():
        contenders = [writer.contender(getattr(writer, way)) for writer in writers]
        samples = interleave(contenders, Rounds(600, 30), options)
        yield Measurement("single_write", variant, "ms", in_unit(samples, 1e3), TARGETS)


CASE = Case("single_write", "One field of one block, existing row", measure)
