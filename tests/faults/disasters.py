"""A database that is lost under load and restored from a dump made under load, compared with the journals."""

import json
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from history.reading.completeness import completeness
from history.reading.outline import recent_versions
from history.reading.ownership import RowOwner
from kvstore.keys import BlockAddress
from kvstore.models import StudentModule
from tests.faults.journals import Journals
from tests.faults.servers.clusters import Cluster
from tests.faults.servers.nursery import Child
from tests.faults.servers.stage import Stage


def lose(
    stage: Stage,
    cluster: Cluster,
    folder: Path,
    learners: Sequence[int],
    blocks: Sequence[str],
    writers: int,
    seconds: float,
) -> dict[str, Any]:
    """Write, dump the database of a server meanwhile, write on, kill the writers, and restore the dump."""
    children = [stage.write(folder, learners=learners, blocks=blocks) for _ in range(writers)]
    time.sleep(seconds / 3)
    begin = time.monotonic()
    dump = cluster.dump()
    took = time.monotonic() - begin
    known = acknowledged(stage, folder)
    time.sleep(seconds * 2 / 3)
    for child in children:
        child.kill()
    stage.wait_until_quiet()
    cluster.restore(dump)
    return {
        "writers": writers,
        "dump_seconds": round(took, 2),
        "writes_acknowledged_before_the_end_of_the_dump": known,
        "writes_acknowledged": acknowledged(stage, folder),
    }


def acknowledged(stage: Stage, folder: Path) -> int:
    """Return the number of changes of one place that the journals acknowledge."""
    return sum(map(len, Journals.read(folder).acknowledged.values()))


def lose_the_state(
    stage: Stage,
    folder: Path,
    learners: Sequence[int],
    blocks: Sequence[str],
    *,
    writers: int = 4,
    seconds: float = 30,
    kills: int = 0,
) -> dict[str, Any]:
    """Restore `default` from a dump, run recover_state, killed so many times, and return the recovered versions."""
    figures = lose(stage, stage.state, folder, learners, blocks, writers, seconds)
    before = stage.compare(folder)[1]
    backup = positions()
    begin = time.monotonic()
    lines = recovered(stage, kills, rows=len(backup))
    took = time.monotonic() - begin
    after = stage.compare(folder)[1]
    sums, marked = lines[-1], {line_place(line) for line in lines[:-1] if not line["proved"]}
    unmarked = [text for text in after.never_committed if text.partition(": ")[0] not in marked]
    child = stage.recover()
    child.wait()
    second = report(child)
    verified = stage.verify()
    problems: dict[str, Any] = {**after.problems, "never_committed": unmarked[:5]}
    changed = {row_id for row_id, version in positions().items() if backup.get(row_id) != version}
    problems["rows_without_a_line_of_the_report"] = sorted(changed - {line.get("row") for line in lines})[:5]
    problems["recovery"] = [line for line in lines[:-1] if line["result"] != "restored"][:5]
    problems["second_run"] = second[:-1][:5]
    problems["verification"] = [verified] if verified[1][-1]["problems"].keys() - {"phantom"} else []
    return figures | {
        "writes_missing_before_recovery": len(before.missing_writes),
        "writes_missing_after_recovery": len(after.missing_writes),
        "rows_before_and_after_recovery": [len(backup), len(positions())],
        "recovery_killed": kills,
        "recovery_seconds": round(took, 2),
        "recovery_results": dict(Counter(line["result"] for line in lines[:-1])),
        "rows_marked_as_not_proved": len(marked),
        "rolled_back_versions_restored_and_marked": len(after.never_committed) - len(unmarked),
        "writes_that_were_not_acknowledged_restored": after.unacknowledged - len(after.never_committed),
        "last_run": sums,
        "second_run_results": second[-1]["results"],
        "verify_found": verified[1][-1]["problems"],
        "problems": {name: found for name, found in problems.items() if found},
    }


def positions() -> dict[int, int]:
    """Return the version of each row by its id."""
    return dict(StudentModule.objects.values_list("pk", "version"))


def recovered(stage: Stage, kills: int, rows: int) -> list[dict[str, Any]]:
    """Run recover_state to its end; kill it with SIGKILL before, so many times. Return all lines, the sums last."""
    lines: list[dict[str, Any]] = []
    for number in range(kills):
        # Slow enough that it cannot end before it is killed.
        child = stage.recover("--sleep=0.1", batch_size=max(1, rows // 50))
        wait_for_lines(child, max(1, rows // (kills + 2)) * (number > 0) + 1)
        child.kill()
        stage.wait_until_quiet()
        lines += report(child)
    child = stage.recover()
    if child.wait() != 0:
        raise AssertionError(child.output)
    return [*lines, *report(child)]


def wait_for_lines(child: Child, count: int) -> None:
    """Wait until a process has printed so many lines; fail where it ends before."""
    found = 0
    while found < count:
        if not child.alive:
            raise AssertionError(f"It ended before it was killed:\n{child.output}")
        time.sleep(0.002)
        # The process makes the file when it begins.
        with suppress(FileNotFoundError):
            found = len(child.output.splitlines())


def report(child: Child) -> list[dict[str, Any]]:
    """Return the lines of a report; the last one of a process that was killed may be cut off."""
    lines = child.output.splitlines(keepends=True)
    # The child's two streams are one file; the error of a failed command is its last line.
    return [json.loads(line) for line in lines if line.endswith("\n") and not line.startswith("CommandError: ")]


def line_place(line: dict[str, Any]) -> str:
    """Return the learner and the block as the comparison names them."""
    return str((line["learner_id"], line["block"]))


def lose_the_history(
    stage: Stage,
    folder: Path,
    learners: Sequence[int],
    blocks: Sequence[str],
    *,
    writers: int = 4,
    seconds: float = 30,
) -> dict[str, Any]:
    """Restore the history from a dump, write more, and return the results of verification and the timelines."""
    figures = lose(stage, stage.history, folder, learners, blocks, writers, seconds)
    # The state was not lost: nothing that is proved is ahead of it.
    recovery = stage.recover("--dry-run", "--only-proved")
    recovery.wait()
    children = [stage.write(folder, learners=learners, blocks=blocks) for _ in range(writers)]
    time.sleep(seconds / 3)
    for writer in children:
        writer.kill()
    stage.wait_until_quiet()
    _code, found = stage.verify()
    named = {line["student_module_id"] for line in found[:-1]}
    gaps = {line["student_module_id"]: line["count"] for line in found[:-1] if line["problem"] in {"gap", "unrecorded"}}
    incomplete, claims = completeness_of_all()
    lost = {row_id for row_id, missing in incomplete.items() if missing}
    shown = stage.compare(folder)[1].never_committed
    results = report(recovery)[-1]["results"]
    problems = {
        "timelines_that_claim_to_be_complete": sorted(lost & claims)[:5],
        "rows_that_verification_does_not_name": sorted(lost - named)[:5],
        "recovery_would_change_the_state": [results] if results else [],
    }
    return figures | {
        "writes_acknowledged_after_the_restore": acknowledged(stage, folder) - figures["writes_acknowledged"],
        "rows": len(incomplete),
        "rows_with_missing_versions": len(lost),
        "missing_versions": sum(incomplete.values()),
        "rows_with_a_gap_according_to_verification": len(gaps),
        "missing_versions_according_to_verification": sum(gaps.values()),
        "timelines_that_claim_to_be_complete_and_are_not": len(lost & claims),
        "timelines_that_claim_to_be_complete_and_are": len(claims - lost),
        "verify_found": found[-1]["problems"],
        "rolled_back_versions_shown_below_a_gap": len(shown),
        "problems": {name: found for name, found in problems.items() if found},
    }


def completeness_of_all() -> tuple[dict[int, int], set[int]]:
    """Return how many committed versions of each row are missing, and the rows with timelines reported as complete."""
    missing, claims = {}, set()
    for row in StudentModule.objects.all():
        owner = RowOwner(row.student_id, BlockAddress(*row.address, row.module_type), row.version)
        found = recent_versions(owner)
        shown = completeness(owner, row.pk, found)
        missing[row.pk] = row.version - shown.found
        if shown.is_complete:
            claims.add(row.pk)
    return missing, claims
