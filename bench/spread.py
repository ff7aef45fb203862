"""Medians and how far the samples are from them."""

from collections.abc import Sequence
from statistics import median, quantiles
from typing import NamedTuple


class Spread(NamedTuple):
    """Where a set of samples lies."""

    median: float
    low: float
    """a quarter of the samples is below"""
    high: float
    """a quarter of the samples is above"""
    p95: float


def spread(samples: Sequence[float]) -> Spread:
    """Return where ``samples`` lie; a single one is all four."""
    if len(samples) == 1:
        return Spread(*[samples[0]] * 4)
    low, _, high = quantiles(samples, n=4, method="inclusive")
    return Spread(median(samples), low, high, quantiles(samples, n=20, method="inclusive")[-1])


def ratio(above: Sequence[float], below: Sequence[float]) -> Spread:
    """Return the ratio of two contenders' medians, with the spread of the ratios round by round.

    Contenders that were not measured in rounds together have as many ratios as the shorter list.
    """
    by_round = spread([over / under for over, under in zip(above, below, strict=False)])
    return by_round._replace(median=median(above) / median(below))
