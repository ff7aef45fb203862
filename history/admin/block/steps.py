"""Steps of a timeline: consecutive versions that one request wrote to one row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from history.admin.block.version_summary import with_comparable_state
from history.reading.ownership import RowOwner
from history.reading.timeline import WHOLE, TimelinePart, timeline_of

MAX_STEP_VERSIONS = 200
"""a request with more versions makes several steps"""
SCANNED_VERSIONS = 500
"""for one page; the last step is read completely"""
SCANNED_CHARACTERS = 10_000_000
"""characters of states for one page"""
QUERIED_VERSIONS = 100
"""in one query without a number of steps"""
CLOCK_DIFFERENCE = timedelta(hours=1)
"""between the clocks of two web servers; a version may therefore be older than the version before it"""


class Step(NamedTuple):
    """Versions of one request, or one version without a request id, newest first, and the version before them."""

    versions: list[Any]
    """Only the newest has its state."""
    older: Any
    """the next entry of the timeline, maybe of another row; None if there is none"""
    is_continued: bool = False
    """whether the next step contains versions of the same request, because this one is full"""


class Scan(NamedTuple):
    """Steps that were read, newest first."""

    steps: list[Step]
    oldest: Any
    """the oldest version that was read, if the timeline continues; otherwise None"""


def read_steps(
    owner: RowOwner, part: TimelinePart = WHOLE, *, count: int | None = None, since: datetime | None = None
) -> Scan:
    """Read ``count`` steps of a timeline, without branches; fewer if that exceeds the limits of this module.

    Without ``count``, read up to the limits. Older versions than ``since`` are not read. Raises HistoryUnavailable.
    """
    # As many as the steps have if no request made two versions, and one to compare the last with.
    page_size = (count or QUERIED_VERSIONS) + 1
    found = timeline_of(owner.student_id, owner.address, part, prepare=with_comparable_state, page_size=page_size)
    steps: list[Step] = []
    versions = size = 0
    for step in steps_of(entry for entry in found if not entry.is_branch):
        if since is not None and step.versions[0].created < since - CLOCK_DIFFERENCE:
            return Scan(steps, None)
        steps.append(step)
        versions += len(step.versions)
        size += len(step.versions[0].small_state or "")
        is_full = len(steps) == count or versions >= SCANNED_VERSIONS or size >= SCANNED_CHARACTERS
        if is_full and step.older is not None:
            return Scan(steps, step.versions[-1])
    return Scan(steps, None)


def steps_of(entries: Iterable[Any]) -> Iterator[Step]:
    """Group entries, newest first. A generator that reads one entry more than the steps that it yielded."""
    versions: list[Any] = []
    for entry in entries:
        if versions and not _is_of_step(entry, versions):
            yield Step(versions, entry, is_continued=_is_same_request(entry, versions[0]))
            versions = []
        elif versions:
            # The state would stay in memory, and is not compared.
            entry.small_state = None
        versions.append(entry)
    if versions:
        yield Step(versions, None)


def _is_of_step(entry: Any, versions: list[Any]) -> bool:
    return len(versions) < MAX_STEP_VERSIONS and _is_same_request(entry, versions[0])


def _is_same_request(one: Any, other: Any) -> bool:
    is_same_row: bool = one.student_module_id == other.student_module_id
    return is_same_row and one.request_id != "" and one.request_id == other.request_id
