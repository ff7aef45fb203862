"""A case of the benchmark, and its measurements."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

STORE, RAW, PER_BLOCK, SIMPLE_HISTORY, PLAIN = "store", "raw", "per block", "simple-history", "plain save()"


@dataclass(frozen=True)
class Options:
    """How much to measure."""

    quick: bool = False
    rounds: int | None = None
    profile: bool = False

    def of(self, full: int, quick: int) -> int:
        """Return how much of something there shall be: in full, or for a quick look."""
        return quick if self.quick else full


@dataclass(frozen=True)
class Rounds:
    """How often to measure, in full and for a quick look."""

    full: int
    quick: int

    def chosen(self, options: Options) -> int:
        """Return the number of rounds that count; the caller of the benchmark may have set it."""
        return options.rounds or options.of(self.full, self.quick)

    def warmup(self, options: Options) -> int:
        """Return the number of rounds before, which do not."""
        return options.of(self.full, self.quick) // 10 + 1


@dataclass(frozen=True)
class Target:
    """The target ratio of two contenders' medians, ``above`` over ``below``. Without a bound it is reported alone."""

    above: str
    below: str
    at_most: float | None = None
    at_least: float | None = None

    def met(self, ratio: float) -> bool:
        """Return whether a measured ratio is good enough."""
        return (self.at_most is None or ratio <= self.at_most) and (self.at_least is None or ratio >= self.at_least)

    @property
    def bound(self) -> str:
        """The target as text."""
        if self.at_most is not None:
            return f"≤ {self.at_most:g}"
        return f"≥ {self.at_least:g}" if self.at_least is not None else ""

    def __str__(self) -> str:
        return f"{self.above} / {self.below} {self.bound}".strip()


@dataclass(frozen=True)
class Limit:
    """The upper limit of one contender's median."""

    name: str
    at_most: float

    def met(self, value: float) -> bool:
        """Return whether a measured value is good enough."""
        return value <= self.at_most


@dataclass
class Measurement:
    """The samples of every contender in one variant of a case; the samples of one round have one index."""

    case: str
    variant: str
    unit: str
    """ms, us, rows/s, writes/s, MB or bytes"""
    samples: dict[str, list[float]]
    targets: list[Target] = field(default_factory=list)
    limits: list[Limit] = field(default_factory=list)
    note: str = ""


@dataclass(frozen=True)
class Case:
    """Something to measure."""

    name: str
    title: str
    measure: Callable[[Options], Iterable[Measurement]]
    left_out: dict[str, str] = field(default_factory=dict)
    """why it makes no sense on a database, by vendor"""


@dataclass(frozen=True)
class Contender:
    """An implementation of the operation that a case measures.

    ``prepare`` is not timed: it returns the next operation, which is. ``check`` raises
    AssertionError unless the contender has the effect that the case requires.
    """

    name: str
    prepare: Callable[[], Callable[[], Any]]
    check: Callable[[], None]
