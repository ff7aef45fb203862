"""All states of a course, for all learners, as a report reads them."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from bench import course
from bench.case import RAW, STORE, Case, Contender, Limit, Measurement, Options, Rounds, Target
from bench.contenders.raw_sql import Sql
from bench.contenders.readers import raw_walk
from bench.databases import settle, vendor
from bench.filling import fill_course
from bench.memory import growth_of
from bench.timing import interleave
from kvstore.api import DjangoXBlockUserStateClient

ROWS, LEARNERS = 200_000, 2000


def by_store() -> Iterator[Any]:
    """Yield every state as the client returns it."""
    yield from DjangoXBlockUserStateClient().iter_all_for_course(course.COURSE)


def by_raw() -> Iterator[Any]:
    """Yield every state as one statement returns it."""
    yield from raw_walk(vendor(), Sql(vendor()).walk, str(course.COURSE))


WALKS: dict[str, Callable[[], Iterator[Any]]] = {STORE: by_store, RAW: by_raw}


def measure(options: Options) -> Iterator[Measurement]:
    rows = options.of(ROWS, 4000)
    fill_course(rows, LEARNERS)
    settle()
    contenders = [contender(name, walk, rows) for name, walk in WALKS.items()]
    seconds = interleave(contenders, Rounds(5, 2), options)
    speed = {name: [rows / taken for taken in samples] for name, samples in seconds.items()}
    variant = f"{rows:,} rows"
    yield Measurement("course_walk", variant, "rows/s", speed, [Target(STORE, RAW, at_least=0.5)])
    growth = {name: [growth_of("bench.cases.course_walk", walk.__name__)] for name, walk in WALKS.items()}
    note = "Growth of the peak of a new process's memory over what it was before the walk, the connection open."
    yield Measurement("course_walk", f"{variant}, memory", "MB", growth, limits=[Limit(STORE, 50)], note=note)


def contender(name: str, walk: Callable[[], Iterator[Any]], rows: int) -> Contender:
    def check() -> None:
        seen = Counter((found[0], str(found[1])) for found in walk())
        assert len(seen) == rows == sum(seen.values()), f"{name} saw {len(seen)} of {rows} states."

    return Contender(name, lambda: lambda: consume(walk()), check)


def consume(states: Iterator[Any]) -> None:
    """Read everything and keep nothing."""
    for _ in states:
        pass


CASE = Case("course_walk", "iter_all_for_course", measure)
