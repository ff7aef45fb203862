"""Medians and quartiles of samples and of ratios."""

from collections.abc import Sequence
from statistics import median, quantiles
from typing import NamedTuple


class Spread(NamedTuple):
    """The median, the quartiles and the 95th percentile of samples."""

    median: float
    low: float
    """first quartile"""
    high: float
    """third quartile"""
    p95: float


def spread(samples: Sequence[float]) -> Spread:
    """Return the spread of ``samples``; for a single sample all four figures are equal."""
    if len(samples) == 1:
        return Spread(*[samples[0]] * 4)
    low, _, high = quantiles(samples, n=4, method="inclusive")
    return Spread(median(samples), low, high, quantiles(samples, n=20, method="inclusive")[-1])


def ratio(above: Sequence[float], below: Sequence[float]) -> Spread:
    """Return the spread of the ratios of two contenders, computed round by round.

    If the lists have different lengths, the surplus samples are ignored.
    """
    return spread([over / under for over, under in zip(above, below, strict=False)])
