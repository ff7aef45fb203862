"""Processes that write at the same time, each with separate connections and rows."""

import multiprocessing
import time
import traceback
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import django

# A forked process would share the connections of its parent; a spawned process opens new ones.
PROCESSES = multiprocessing.get_context("spawn")
DEADLINE = 300
"""seconds"""
BLOCKS = 50
"""rows of each contender in each process, written in turn"""


class Phase(NamedTuple):
    """A period in which a number of processes write, all with the same contender."""

    round: int
    processes: int
    contender: str


class Count(NamedTuple):
    """The writes of one process in one phase."""

    phase: Phase
    writes: int
    seconds: float


def run(phases: Sequence[Phase], states: str, names: Mapping[str, str], seconds: float) -> dict[Phase, float]:
    """Return the writes per second of all processes together in every phase; ``states`` is ``short`` or ``long``."""
    count = max(phase.processes for phase in phases)
    barrier, counts = PROCESSES.Barrier(count), PROCESSES.Queue()
    shared = list(phases), states, dict(names), seconds
    workers = [
        PROCESSES.Process(target=_work, args=(number, barrier, counts, *shared), daemon=True) for number in range(count)
    ]
    for worker in workers:
        worker.start()
    rates = dict.fromkeys(phases, 0.0)
    for _ in range(sum(phase.processes for phase in phases)):
        counted = counts.get(timeout=DEADLINE)
        if isinstance(counted, str):
            raise AssertionError(counted)
        rates[counted.phase] += counted.writes / counted.seconds
    for worker in workers:
        worker.join(DEADLINE)
    return rates


def _work(
    number: int,
    barrier: Any,
    counts: Any,
    phases: list[Phase],
    states: str,
    names: dict[str, str],
    seconds: float,
) -> None:
    try:
        django.setup()
        from bench.databases import use

        use(names)
        contenders = _contenders({phase.contender for phase in phases}, states)
        for phase in phases:
            barrier.wait(DEADLINE)
            if number < phase.processes:
                counts.put(Count(phase, *_writes(contenders[phase.contender], seconds)))
    except BaseException:
        barrier.abort()
        counts.put(traceback.format_exc())
        raise


def _contenders(wanted: set[str], states: str) -> dict[str, Any]:
    from bench import course
    from bench.contenders.per_block import PerBlock
    from bench.contenders.raw import Raw
    from bench.contenders.simple_history import SimpleHistory
    from bench.contenders.store import Store

    keys = [course.usage_key(number) for number in range(BLOCKS)]
    found = {
        kind.name: kind(keys, course.SHAPES[states])
        for kind in (Store, Raw, PerBlock, SimpleHistory)
        if kind.name in wanted
    }
    for writer in found.values():
        writer.contender(1).check()
    return found


def _writes(writer: Any, seconds: float) -> tuple[int, float]:
    """Write for this time, and return the number of writes and the actual seconds."""
    began = now = time.perf_counter()
    writes = 0
    while now < began + seconds:
        writer.next_one()()
        writes += 1
        now = time.perf_counter()
    return writes, now - began
