"""The report in Markdown: ratios and targets, then times."""

from collections.abc import Sequence
from typing import Any

from bench.case import Case, Measurement
from bench.spread import ratio, spread

RATIOS = "| case | | ratio | measured | quarter to quarter | target | |\n|---|---|---|---|---|---|---|"
TIMES = "| case | | unit | contender | median | quarter to quarter | p95 | rounds |\n|---|---|---|---|---|---|---|---|"


def markdown(machine: dict[str, Any], cases: Sequence[Case], measurements: Sequence[Measurement]) -> str:
    """Return the whole report."""
    titles = {case.name: case.title for case in cases}
    parts = [
        f"# {machine['database']} over {machine['driver']}, {machine['date']}",
        machine_lines(machine),
        "## Ratios",
        "\n".join([RATIOS, *(line for one in measurements for line in ratio_lines(one, titles[one.case]))]),
        "## Absolute",
        "\n".join([TIMES, *(line for one in measurements for line in time_lines(one, titles[one.case]))]),
    ]
    notes = [f"- {titles[one.case]}, {one.variant}: {one.note}" for one in measurements if one.note]
    if notes:
        parts += ["## Notes", "\n".join(notes)]
    return "\n\n".join(parts) + "\n"


def machine_lines(machine: dict[str, Any]) -> str:
    """Return two sentences about the machine and the servers."""
    packages = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    settings = ", ".join(f"`{name}` {value}" for name, value in machine["settings"].items())
    shared = "Both databases on one server" if machine["one server for both"] else "Two separate databases"
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory GB']} GB; load before the run "
        f"{machine['load before']}. Python {machine['Python']}, {packages}; commit {machine['revision']}.\n"
        f"{shared}: {settings}."
    )


def ratio_lines(measurement: Measurement, title: str) -> list[str]:
    """Return a line for every target, then for the ratio of the first contender to every other one."""
    lines = []
    compared = set()
    for target in measurement.targets:
        found = ratio(measurement.samples[target.above], measurement.samples[target.below])
        compared |= {target.above, target.below}
        met = ("met" if target.met(found.median) else "**not met**") if target.bound else ""
        names = f"{target.above} / {target.below}"
        lines.append(ratio_line(measurement, title, names, found, f"{target.bound} | {met}"))
    for limit in measurement.limits:
        value = spread(measurement.samples[limit.name])
        met = "met" if limit.met(value.median) else "**not met**"
        label = f"{limit.name}, {measurement.unit}"
        lines.append(ratio_line(measurement, title, label, value, f"≤ {limit.at_most:g} | {met}"))
    first, *others = measurement.samples
    for other in others:
        if other not in compared and (measurement.targets or not measurement.limits):
            found = ratio(measurement.samples[first], measurement.samples[other])
            lines.append(ratio_line(measurement, title, f"{first} / {other}", found, " | "))
    return lines


def ratio_line(measurement: Measurement, title: str, names: str, found: Any, verdict: str) -> str:
    values = f"**{figure(found.median)}** | {figure(found.low)} to {figure(found.high)}"
    return f"| {title} | {measurement.variant} | {names} | {values} | {verdict} |"


def time_lines(measurement: Measurement, title: str) -> list[str]:
    """Return a line for every contender."""
    lines = []
    for name, samples in measurement.samples.items():
        found = spread(samples)
        values = f"{figure(found.median)} | {figure(found.low)} to {figure(found.high)} | {figure(found.p95)}"
        start = f"| {title} | {measurement.variant} | {measurement.unit}"
        lines.append(f"{start} | {name} | {values} | {len(samples)} |")
    return lines


def figure(value: float) -> str:
    """Return a number with about three significant digits."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:.{digits}f}"
