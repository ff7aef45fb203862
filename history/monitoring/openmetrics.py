"""The text format of OpenMetrics 1.0, for gauges and sets of states."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class Gauge(NamedTuple):
    """A number. ``unit`` is the last part of the name, or empty."""

    name: str
    help: str
    value: float
    unit: str = ""

    def lines(self) -> Iterator[str]:
        yield from _described(self.name, "gauge", self.help, self.unit)
        yield f"{self.name} {float(self.value)!r}"


class StateSet(NamedTuple):
    """One of several states. Each state is a sample with the value 1 or 0."""

    name: str
    help: str
    states: tuple[str, ...]
    value: str

    def lines(self) -> Iterator[str]:
        yield from _described(self.name, "stateset", self.help)
        for state in self.states:
            yield f'{self.name}{{{self.name}="{_escaped(state)}"}} {int(state == self.value)}'


def exposition(metrics: Iterable[Gauge | StateSet]) -> str:
    """Return the text of a response with these metrics."""
    lines = [line for metric in metrics for line in metric.lines()]
    return "\n".join([*lines, "# EOF", ""])


def _described(name: str, kind: str, text: str, unit: str = "") -> Iterator[str]:
    yield f"# TYPE {name} {kind}"
    if unit:
        yield f"# UNIT {name} {unit}"
    yield f"# HELP {name} {_escaped(text)}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
