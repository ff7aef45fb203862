"""Times contenders in turn, in one process.

A change during the run, such as the clock rate of the processor or the load of other programs, affects all contenders.
"""

import gc
from collections.abc import Sequence
from statistics import median
from time import perf_counter

from bench.case import Contender, Options, Rounds
from bench.profiling import profile


def interleave(contenders: Sequence[Contender], rounds: Rounds, options: Options) -> dict[str, list[float]]:
    """Check every contender, run the warm-up, and return the seconds of every contender in every round.

    The order rotates with every operation and is reversed after every full turn, so that a contender does not always
    follow the same one.
    """
    for contender in contenders:
        contender.check()
    if options.profile:
        profile(contenders[0], rounds.chosen(options))
    samples: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    warmup = rounds.warmup(options)
    gc.collect()
    # Collections ignore the frozen objects, so that the collection before each operation is short.
    gc.freeze()
    for number in range(warmup + rounds.chosen(options)):
        for name, seconds in round_of(contenders, number, rounds.operations).items():
            if number >= warmup:
                samples[name].append(seconds)
    gc.unfreeze()
    return samples


def round_of(contenders: Sequence[Contender], number: int, operations: int) -> dict[str, float]:
    """Return the median of every contender's operations in one round."""
    seconds: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    for operation in range(operations):
        for contender in order(contenders, number * operations + operation):
            seconds[contender.name].append(seconds_of(contender))
    return {name: median(values) for name, values in seconds.items()}


def seconds_of(contender: Contender) -> float:
    """Return the seconds of the contender's next operation. Garbage of earlier operations is collected before."""
    operation = contender.prepare()
    gc.collect()
    began = perf_counter()
    operation()
    return perf_counter() - began


def order(contenders: Sequence[Contender], number: int) -> list[Contender]:
    """Return the contenders in the order of operation ``number``."""
    turn = number % len(contenders)
    rotated = [*contenders[turn:], *contenders[:turn]]
    return rotated[::-1] if number // len(contenders) % 2 else rotated


def in_unit(samples: dict[str, list[float]], per_second: float) -> dict[str, list[float]]:
    """Return samples of seconds in another unit; ``per_second`` units are one second."""
    return {name: [value * per_second for value in values] for name, values in samples.items()}
