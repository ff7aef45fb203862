"""Cases, their contenders and targets, and the measurements that they return."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from bench.course import SHAPES, Shape
from bench.spread import ratio, spread

STORE, RAW, PER_BLOCK, SIMPLE_HISTORY, PLAIN = "store", "raw", "per block", "simple-history", "plain save()"


@dataclass(frozen=True)
class Options:
    """The selection that the command line makes."""

    quick: bool = False
    rounds: int | None = None
    profile: bool = False
    blocks: Collection[int] = ()
    """numbers of blocks to measure; empty: all numbers of the case"""
    states: Collection[str] = ()
    """short or long states; empty: both"""

    def sizes(self, known: Iterable[int]) -> list[int]:
        """Return the numbers of blocks to measure."""
        return [number for number in known if not self.blocks or number in self.blocks]

    def shapes(self) -> list[Shape]:
        """Return the kinds of state to measure."""
        return [shape for name, shape in SHAPES.items() if not self.states or name in self.states]

    def of(self, full: int, quick: int) -> int:
        """Return ``quick`` in a quick run, else ``full``."""
        return quick if self.quick else full


@dataclass(frozen=True)
class Rounds:
    """The number of rounds in a full and in a quick run."""

    full: int
    quick: int
    operations: int = 1
    """operations of each contender in one round; their median is the sample of the round"""

    def chosen(self, options: Options) -> int:
        """Return the number of measured rounds; ``--rounds`` overrides it."""
        return options.rounds or options.of(self.full, self.quick)

    def warmup(self, options: Options) -> int:
        """Return the number of rounds before the measured ones."""
        return options.of(self.full, self.quick) // 10 + 1


@dataclass(frozen=True)
class Target:
    """A bound of the ratio ``above`` / ``below`` of two contenders. Without a bound the ratio is only reported."""

    above: str
    below: str
    at_most: float | None = None
    at_least: float | None = None

    def met(self, ratio: float) -> bool:
        """Return whether a measured ratio is within the bound."""
        return (self.at_most is None or ratio <= self.at_most) and (self.at_least is None or ratio >= self.at_least)

    @property
    def bound(self) -> str:
        """The bound as text, such as ``≤ 1.2``; empty without a bound."""
        if self.at_most is not None:
            return f"≤ {self.at_most:.3g}"
        return f"≥ {self.at_least:.3g}" if self.at_least is not None else ""

    def __str__(self) -> str:
        return f"{self.above} / {self.below} {self.bound}".strip()


@dataclass(frozen=True)
class Limit:
    """An upper bound of the median of one contender, in the unit of the measurement."""

    name: str
    at_most: float

    def met(self, value: float) -> bool:
        """Return whether a measured value is within the bound."""
        return value <= self.at_most


@dataclass
class Measurement:
    """The samples of every contender in one variant of a case; samples with the same index are from the same round."""

    case: str
    variant: str
    unit: str
    """ms, us, rows/s, writes/s, MB or bytes"""
    samples: dict[str, list[float]]
    targets: list[Target] = field(default_factory=list)
    limits: list[Limit] = field(default_factory=list)
    note: str = ""

    def missed(self) -> Iterator[str]:
        """Yield every target and limit that is not met."""
        for target in self.targets:
            found = ratio(self.samples[target.above], self.samples[target.below]).median
            if not target.met(found):
                yield f"{self.case}, {self.variant}: {target}, measured {found:.2f}"
        for limit in self.limits:
            value = spread(self.samples[limit.name]).median
            if not limit.met(value):
                yield f"{self.case}, {self.variant}: {limit.name} ≤ {limit.at_most:g}, measured {value:.4g}"


@dataclass(frozen=True)
class Case:
    """A comparison of contenders; ``measure`` yields its measurements."""

    name: str
    title: str
    measure: Callable[[Options], Iterable[Measurement]]
    left_out: dict[str, str] = field(default_factory=dict)
    """reason for leaving the case out on a database, by vendor"""
    by_default: bool = False
    """runs without ``--case``"""


@dataclass(frozen=True)
class Contender:
    """An implementation of the operation that a case measures.

    ``prepare`` returns the next operation; only the operation is timed. ``check`` raises
    AssertionError if the contender does not do what it claims.
    """

    name: str
    prepare: Callable[[], Callable[[], Any]]
    check: Callable[[], None]


def blocks_text(blocks: int) -> str:
    """Return a number of blocks with its unit."""
    return "1 block" if blocks == 1 else f"{blocks:,} blocks"
