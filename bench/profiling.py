"""Shows where one contender spends its time, function by function."""

import cProfile
import pstats

from bench.case import Contender

LINES = 35


def profile(contender: Contender, rounds: int) -> None:
    """Print a profile of the contender's operations: the functions with the most time of their own come first."""
    for _ in range(rounds // 10 + 1):
        contender.prepare()()
    profiler = cProfile.Profile()
    for _ in range(rounds):
        operation = contender.prepare()
        profiler.enable()
        operation()
        profiler.disable()
    print(f"Profile of {contender.name}, {rounds} operations:")
    pstats.Stats(profiler).strip_dirs().sort_stats("tottime").print_stats(LINES)
