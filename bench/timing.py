"""Times contenders beside each other, in one process, a round of all after a round of all.

A change of the conditions, such as the processor clock or other load, affects all contenders equally.
"""

import gc
from collections.abc import Sequence
from time import perf_counter

from bench.case import Contender, Options, Rounds
from bench.profiling import profile


def interleave(contenders: Sequence[Contender], rounds: Rounds, options: Options) -> dict[str, list[float]]:
    """Return the seconds of every contender in every round, after checking each and warming up.

    The order is rotated every round, and reversed after every full turn, so that the order favours no contender.
    """
    for contender in contenders:
        contender.check()
    if options.profile:
        profile(contenders[0], rounds.chosen(options))
    samples: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    warmup = rounds.warmup(options)
    gc.collect()
    # Objects that exist now are ignored, so that collecting before each sample takes no time.
    gc.freeze()
    for number in range(warmup + rounds.chosen(options)):
        for contender in order(contenders, number):
            taken = seconds_of(contender)
            if number >= warmup:
                samples[contender.name].append(taken)
    gc.unfreeze()
    return samples


def seconds_of(contender: Contender) -> float:
    """Return how long the contender's next operation takes. The garbage of earlier operations is collected first."""
    operation = contender.prepare()
    gc.collect()
    began = perf_counter()
    operation()
    return perf_counter() - began


def order(contenders: Sequence[Contender], number: int) -> list[Contender]:
    """Return the contenders in the order of round ``number``."""
    turn = number % len(contenders)
    rotated = [*contenders[turn:], *contenders[:turn]]
    return rotated[::-1] if number // len(contenders) % 2 else rotated


def in_unit(samples: dict[str, list[float]], per_second: float) -> dict[str, list[float]]:
    """Return samples of seconds in another unit, of which ``per_second`` make a second."""
    return {name: [value * per_second for value in values] for name, values in samples.items()}
