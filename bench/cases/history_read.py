"""The complete history of one block for one learner."""

from collections.abc import Callable, Iterator
from typing import Any

from bench import course
from bench.case import PER_BLOCK, RAW, SIMPLE_HISTORY, STORE, Case, Contender, Measurement, Options, Rounds, Target
from bench.contenders.per_block import PerBlock
from bench.contenders.raw import Raw
from bench.contenders.readers import Version, orm_versions, raw_versions
from bench.contenders.simple_history import SimpleHistory
from bench.contenders.writer import Writer
from bench.databases import clear, settle
from bench.models import PerBlockHistory
from bench.timing import in_unit, interleave
from kvstore.api import DjangoXBlockUserStateClient

VERSIONS = 1000
OTHER_BLOCKS, THEIR_VERSIONS = 500, 40
"""other entries in the history; without them the planner would choose a scan of the whole table"""


def measure(options: Options) -> Iterator[Measurement]:
    for shape in options.shapes():
        clear()
        yield measured(shape, options)


def measured(shape: course.Shape, options: Options) -> Measurement:
    """Return the measurement with states of one length."""
    versions = options.of(VERSIONS, 50)
    key = course.usage_key(0)
    raw, per_block, simple_history = kinds = [kind([key], shape) for kind in (Raw, PerBlock, SimpleHistory)]
    for writer in kinds:
        for _ in range(versions - 1):
            writer.next_one()()
    others = Raw([course.usage_key(number) for number in range(1, options.of(OTHER_BLOCKS, 50) + 1)], shape)
    for _ in range(THEIR_VERSIONS - 1):
        others.next_many()()
    settle()
    client = DjangoXBlockUserStateClient(raw.learner)
    watched = simple_history.rows()[str(key)].history
    module_id = per_block.rows()[str(key)].pk
    reads: dict[str, Callable[[], list[Any]]] = {
        STORE: lambda: list(client.get_history(raw.learner.username, key)),
        RAW: lambda: raw_versions(raw, key),
        SIMPLE_HISTORY: lambda: orm_versions(watched.all(), "history_date"),
        PER_BLOCK: lambda: orm_versions(
            PerBlockHistory.objects.filter(student_module_id=module_id).order_by("-id"), "created"
        ),
    }
    expected = written(raw, versions)
    contenders = [contender(name, read, expected) for name, read in reads.items()]
    samples = interleave(contenders, Rounds(30, 3), options)
    targets = [Target(STORE, RAW, at_most=1.5)]
    return Measurement(
        "history_read", f"{versions:,} versions, {shape.name} states", "ms", in_unit(samples, 1e3), targets
    )


def written(writer: Writer, versions: int) -> list[Any]:
    """Return the value of the written field in each version, newest first."""
    return [writer.value(turn) for turn in range(versions - 1, -1, -1)]


def contender(name: str, read: Callable[[], list[Any]], expected: list[Any]) -> Contender:
    def check() -> None:
        found = [state_of(version)[course.FIELD] for version in read()]
        assert found == expected, f"{name} did not read every version, newest first."

    return Contender(name, lambda: read, check)


def state_of(version: Version | Any) -> dict[str, Any]:
    return version[0] if isinstance(version[0], dict) else version.state


CASE = Case("history_read", "get_history of one block", measure)
