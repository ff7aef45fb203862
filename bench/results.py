"""The record in JSON: the machine and every sample."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.case import Measurement
from bench.spread import ratio, spread


def record(machine: dict[str, Any], measurements: Sequence[Measurement]) -> dict[str, Any]:
    """Return the machine and all measurements as JSON-serializable objects."""
    return {"machine": machine, "measurements": [measured(one) for one in measurements]}


def measured(measurement: Measurement) -> dict[str, Any]:
    """Return one measurement: targets, summary and samples."""
    targets = [
        {"target": str(target), "ratio": round(found.median, 4), "met": target.met(found.median)}
        for target in measurement.targets
        if target.bound
        for found in [ratio(measurement.samples[target.above], measurement.samples[target.below])]
    ]
    limits = [
        {"target": f"{limit.name} at most {limit.at_most:g}", "value": round(value, 4), "met": limit.met(value)}
        for limit in measurement.limits
        for value in [spread(measurement.samples[limit.name]).median]
    ]
    summary = {name: spread(samples)._asdict() for name, samples in measurement.samples.items()}
    samples = {name: [round(value, 5) for value in values] for name, values in measurement.samples.items()}
    rest = {name: value for name, value in asdict(measurement).items() if name in ("case", "variant", "unit", "note")}
    return {**rest, "targets": [*targets, *limits], "summary": summary, "samples": samples}


def write(folder: Path, name: str, markdown: str, contents: dict[str, Any]) -> None:
    """Write the report and the record to ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text(markdown, encoding="utf-8")
    (folder / f"{name}.json").write_text(json.dumps(contents, separators=(",", ":")) + "\n", encoding="utf-8")
