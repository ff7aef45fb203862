"""The cases, in the order of the report."""

from bench.case import Case
from bench.cases import (
    cached_read,
    course_walk,
    entry_size,
    growth,
    history_read,
    peers,
    per_block,
    prefetch,
    processes,
    write,
)

CASES: list[Case] = [
    write.CASE,
    per_block.CASE,
    prefetch.CASE,
    peers.CASE,
    cached_read.CASE,
    history_read.CASE,
    course_walk.CASE,
    processes.CASE,
    growth.CASE,
    entry_size.CASE,
]
