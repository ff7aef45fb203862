"""Prints the time of one contender by SQL statement and by Python function."""

import cProfile
import pstats
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from time import perf_counter
from typing import Any
from unittest import mock

from django.db import DEFAULT_DB_ALIAS, connections

from bench.case import Contender
from bench.databases import ALIASES

LINES = 35


def profile(contender: Contender, rounds: int) -> None:
    """Print the milliseconds of each kind of statement, then the functions sorted by their own time."""
    for _ in range(rounds // 10 + 1):
        contender.prepare()()
    seconds = seconds_by_statement(contender, rounds)
    print(f"\n{contender.name}, ms for an operation, mean of {rounds}:")
    print("\n".join(f"  {name:24}{taken / rounds * 1e3:8.3f}" for name, taken in seconds.items()))
    profiler = cProfile.Profile()
    for _ in range(rounds):
        operation = contender.prepare()
        profiler.enable()
        operation()
        profiler.disable()
    pstats.Stats(profiler).strip_dirs().sort_stats("tottime").print_stats(LINES)


def seconds_by_statement(contender: Contender, rounds: int) -> dict[str, float]:
    """Return the seconds of all operations: in total, of each kind of statement, and outside SQL."""
    taken: dict[str, float] = defaultdict(float)
    total = 0.0
    with timed_statements(taken):
        for _ in range(rounds):
            operation = contender.prepare()
            taken_before = perf_counter()
            operation()
            total += perf_counter() - taken_before
    return {"total": total, **taken, "Python outside SQL": total - sum(taken.values())}


@contextmanager
def timed_statements(taken: dict[str, float]) -> Iterator[None]:
    """Add the seconds of every statement of Django's connections to ``taken``, by alias and first word."""

    def timed(name: str, call: Callable[..., Any], *args: Any) -> Any:
        began = perf_counter()
        try:
            return call(*args)
        finally:
            taken[name] += perf_counter() - began

    def wrapper(alias: str) -> Callable[..., Any]:
        def execute(call: Any, sql: str, params: Any, many: Any, context: Any) -> Any:
            return timed(f"{alias} {sql.split(maxsplit=1)[0]}", call, sql, params, many, context)

        return execute

    default = connections[DEFAULT_DB_ALIAS]
    commit = default._commit
    with ExitStack() as stack:
        for alias in ALIASES:
            stack.enter_context(connections[alias].execute_wrapper(wrapper(alias)))
        stack.enter_context(mock.patch.object(default, "_commit", lambda: timed("default COMMIT", commit)))
        yield
