"""The measured cases, in the order of the report."""

from bench.case import Case
from bench.cases import (
    batch_write,
    cached_read,
    course_walk,
    entry_size,
    growth,
    history_read,
    prefetch,
    processes,
    single_write,
)

CASES: list[Case] = [
    single_write.CASE,
    batch_write.CASE,
    prefetch.CASE,
    cached_read.CASE,
    history_read.CASE,
    course_walk.CASE,
    processes.CASE,
    growth.CASE,
    entry_size.CASE,
]
