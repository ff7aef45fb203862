"""All states of a course for all learners, as a report reads them."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from bench import course
from bench.case import RAW, STORE, Case, Contender, Limit, Measurement, Options, Rounds, Target
from bench.contenders.raw_sql import walk
from bench.contenders.readers import raw_walk
from bench.databases import clear, settle, vendor
from bench.filling import fill_course
from bench.memory import growth_of
from bench.timing import interleave
from kvstore.api import DjangoXBlockUserStateClient

ROWS, LEARNERS = 200_000, 2000


def by_store() -> Iterator[Any]:
    """Yield every state as the client returns it."""
    yield from DjangoXBlockUserStateClient().iter_all_for_course(course.COURSE)


def by_raw() -> Iterator[Any]:
    """Yield every state as one SELECT returns it."""
    yield from raw_walk(vendor(), walk(vendor()), str(course.COURSE))


WALKS: dict[str, Callable[[], Iterator[Any]]] = {STORE: by_store, RAW: by_raw}


def measure(options: Options) -> Iterator[Measurement]:
    for shape in options.shapes():
        clear()
        yield from measured(shape, options)


def measured(shape: course.Shape, options: Options) -> Iterator[Measurement]:
    """Yield the measurements with states of one length."""
    rows = options.of(ROWS, 4000)
    fill_course(rows, LEARNERS, shape)
    settle()
    contenders = [contender(name, states, rows) for name, states in WALKS.items()]
    seconds = interleave(contenders, Rounds(5, 2), options)
    speed = {name: [rows / taken for taken in samples] for name, samples in seconds.items()}
    variant = f"{rows:,} rows, {shape.name} states"
    yield Measurement("course_walk", variant, "rows/s", speed, [Target(STORE, RAW, at_least=0.5)])
    growth = {name: [growth_of("bench.cases.course_walk", states.__name__)] for name, states in WALKS.items()}
    note = "Growth of the peak memory of a new process during the walk, with the connection open before."
    yield Measurement("course_walk", f"{variant}, memory", "MB", growth, limits=[Limit(STORE, 50)], note=note)


def contender(name: str, states: Callable[[], Iterator[Any]], rows: int) -> Contender:
    def check() -> None:
        seen = Counter((found[0], str(found[1])) for found in states())
        assert len(seen) == rows == sum(seen.values()), f"{name} returned {len(seen)} of {rows} states."

    return Contender(name, lambda: lambda: consume(states()), check)


def consume(states: Iterator[Any]) -> None:
    """Read every state and keep none of them."""
    for _ in states:
        pass


CASE = Case("course_walk", "iter_all_for_course", measure)
