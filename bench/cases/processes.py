"""Several processes write single fields at the same time, each for a different learner."""

from collections.abc import Iterator

from bench import databases, workers
from bench.case import PER_BLOCK, RAW, STORE, Case, Measurement, Options, Rounds, Target
from bench.course import Shape
from bench.workers import Phase

CONTENDERS = (STORE, RAW, PER_BLOCK)
PROCESSES = (1, 2, 4, 8)
SECONDS = 0.8


def measure(options: Options) -> Iterator[Measurement]:
    for shape in options.shapes():
        databases.clear()
        yield from measured(shape, options)


def measured(shape: Shape, options: Options) -> Iterator[Measurement]:
    """Yield the measurements with states of one length."""
    databases.settle()
    phases = [
        Phase(number, processes, name)
        for number in range(Rounds(5, 2).chosen(options))
        for processes in PROCESSES
        for name in turned(number)
    ]
    # The first round warms up.
    warmup = [phase._replace(round=-1) for phase in phases if phase.round == 0]
    rates = workers.run([*warmup, *phases], shape.name, databases.names(), SECONDS if not options.quick else 0.3)
    for processes in PROCESSES:
        samples = {
            name: [rates[phase] for phase in phases if phase.processes == processes and phase.contender == name]
            for name in CONTENDERS
        }
        variant = "1 process" if processes == 1 else f"{processes} processes"
        variant = f"{variant}, {shape.name} states"
        yield Measurement("processes", variant, "writes/s", samples, [Target(STORE, RAW, at_least=0.7)])


def turned(number: int) -> list[str]:
    """Return the contenders in the order of round ``number``."""
    turn = number % len(CONTENDERS)
    return [*CONTENDERS[turn:], *CONTENDERS[:turn]]


CASE = Case(
    "processes",
    "Writing processes",
    measure,
    left_out={"sqlite": "it allows one writer at a time, so the case would measure how long the others sleep"},
)
