"""Compares the timelines of all learners with the writes that were acknowledged."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from opaque_keys.edx.keys import UsageKey

from history.api import timeline
from kvstore.models import StudentModule
from kvstore.versioning import codec
from tests.faults.writing import UNDONE

Place = tuple[int, str]
Change = tuple[str, str]
"""a field, or "score", and the JSON of the value that it got"""


@dataclass
class Journals:
    """The journals of all writers."""

    acknowledged: dict[Place, set[Change]] = field(default_factory=lambda: defaultdict(set))
    last_counts: dict[int, int] = field(default_factory=dict)
    undone: set[Place] = field(default_factory=set)
    failed: list[str] = field(default_factory=list)
    writes: int = 0
    undone_writes: int = 0
    conflicts: int = 0
    """how often writers that opened a transaction themselves had to try again"""

    @classmethod
    def read(cls, folder: Path) -> "Journals":
        """Return the journals in a folder; the last line of a killed writer may be incomplete."""
        found = cls()
        for file in folder.glob("*.journal"):
            for text in file.read_text().splitlines(keepends=True):
                if text.endswith("\n"):
                    found._add(json.loads(text))
        return found

    def _add(self, line: dict[str, Any]) -> None:
        self.last_counts[line["number"]] = line["count"]
        if "failed" in line:
            self.failed.append(line["failed"])
            return
        self.conflicts += line["conflicts"]
        self.writes += not line["undone"]
        self.undone_writes += line["undone"]
        for learner, block, name, value in line["written"]:
            if line["undone"]:
                self.undone.add((learner, block))
            else:
                self.acknowledged[learner, block].add((name, json.dumps(value)))


@dataclass
class Comparison:
    """The problems, as texts; empty without a problem."""

    missing_versions: list[str] = field(default_factory=list)
    missing_writes: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    out_of_order: list[str] = field(default_factory=list)
    never_committed: list[str] = field(default_factory=list)
    differs: list[str] = field(default_factory=list)
    versions: int = 0
    unacknowledged: int = 0
    """stored writes of killed writers that were not acknowledged"""

    @property
    def problems(self) -> dict[str, list[str]]:
        return {name: found[:5] for name, found in asdict(self).items() if isinstance(found, list) and found}

    def counts(self) -> dict[str, int]:
        """Return how many of each there are."""
        return {name: len(found) if isinstance(found, list) else found for name, found in asdict(self).items()}


def compare(journals: Journals) -> Comparison:
    """Compare the timeline of every place that a journal names with the journals and with the row."""
    result = Comparison()
    for learner, block in sorted(journals.acknowledged.keys() | journals.undone):
        _compare_place(result, journals, (learner, block))
    return result


def _compare_place(result: Comparison, journals: Journals, place: Place) -> None:
    learner, block = place
    row = StudentModule.objects.filter(student_id=learner, module_state_key=block).first()
    entries = list(timeline(learner, UsageKey.from_string(block)))[::-1]
    result.versions += len(entries)
    versions = [entry.version for entry in entries]
    expected = list(range(1, row.version + 1)) if row else []
    if versions != expected:
        result.missing_versions += [f"{place}: {version}" for version in sorted(set(expected) - set(versions))]
        result.never_committed += [f"{place}: {version}" for version in sorted(set(versions) - set(expected))]
    times = [entry.created for entry in entries]
    if versions != sorted(versions) or times != sorted(set(times)):
        result.out_of_order.append(str(place))
    if row and entries and (entries[-1].state, entries[-1].grade, entries[-1].max_grade) != row.as_row().values:
        result.differs.append(f"{place}: the last entry is not what the row holds")
    changes = list(_changes(result, place, entries))
    _compare_changes(result, journals, place, changes)


def _changes(result: Comparison, place: Place, entries: list[Any]) -> Iterator[Change]:
    """Yield the changes of each version; every write sets one field, or the score, to a unique value."""
    before: dict[str, str] = {}
    for entry in entries:
        after = {name: json.dumps(value) for name, value in codec.loads_state(entry.state).items()}
        if entry.grade is not None:
            after["score"] = json.dumps([int(entry.grade), int(entry.max_grade)])
        changed = after.items() - before.items()
        if len(changed) != 1 or before.keys() - after.keys():
            result.differs.append(f"{place}: version {entry.version} changed {sorted(changed)}")
        yield from changed
        before = after


def _compare_changes(result: Comparison, journals: Journals, place: Place, changes: list[Change]) -> None:
    acknowledged = journals.acknowledged[place]
    result.missing_writes += [f"{place}: {change}" for change in sorted(acknowledged - set(changes))]
    result.duplicates += [f"{place}: {change}" for change, count in Counter(changes).items() if count > 1]
    last: dict[tuple[int, str], int] = {}
    for name, text in changes:
        number, count, undone = _spelled(json.loads(text))
        # One write of a killed writer may be stored without acknowledgement: the first missing in its journal.
        untold = (name, text) not in acknowledged
        result.unacknowledged += untold
        if undone or (untold and count != journals.last_counts.get(number, 0) + 1):
            result.never_committed.append(f"{place}: {name} = {text}")
        if count < last.get((number, name), 0):
            result.out_of_order.append(f"{place}: {name} = {text}")
        last[number, name] = count


def _spelled(value: Any) -> tuple[int, int, bool]:
    """Return the writer, its count, and whether the write was undone."""
    if isinstance(value, str):
        number, count, *marks = value.split(":")
        return int(number), int(count), UNDONE in marks
    return value[1], abs(value[0]), value[0] < 0
