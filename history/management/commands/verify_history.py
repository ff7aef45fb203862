"""``manage.py verify_history``: compares the state, or a seal, with the history."""

import json
from argparse import ArgumentParser
from collections.abc import Iterable
from typing import Any

from django.core.management.base import CommandError

from history.exceptions import UnusableSeal
from history.management.batches import BatchCommand
from history.verification.row_check import Problem
from history.verification.seal_check import SealVerification, require_known, verify_sealed
from history.verification.seal_files import SealFile
from history.verification.verify import Verification, verify

FAILED, UNUSABLE = 1, 2
"""exit codes"""

UNREPAIRED = "The output names %(count)d problems of the history that are not repaired. "
REPAIR = "Run `manage.py verify_history --repair`, which repairs what the present rows prove."
NOT_REPAIRABLE = "The present rows do not prove what to repair; see docs/howto/outages.md, 'Verify and repair'."
CHANGED_SINCE_SEAL = (
    "The output names %(count)d problems: entries that were sealed at %(time)s were changed or removed. Compare these "
    "rows with a backup from that time."
)
ERASED = "Erased since the seal {sealed[seal]} of {sealed[time]}: {erased} rows."


class Command(BatchCommand):
    """Safe to run twice, and while learners write."""

    help = (
        "Compares the state with its history, in the order of the row ids, and computes every digest again. Repair "
        "records the present state of a row as its next version if the history lacks it, and erases the entries of "
        "deleted rows if HISTORY_ON_DELETE requires it. Exit code 1 if problems were not repaired; phantoms, which no "
        "reader shows, do not count."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--repair", action="store_true", help="repair what the present rows prove")
        parser.add_argument("--no-digests", action="store_true", help="do not compute the digest of every entry")
        parser.add_argument(
            "--sealed",
            metavar="FILE",
            help="compare the entries with a seal that seal_history printed, instead of the state; exit code 2 if the "
            "file cannot be used",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object a line, the sums last")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["sealed"]:
            self.compare_with_seal(options)
        else:
            self.compare_with_state(options)

    def compare_with_state(self, options: dict[str, Any]) -> None:
        progress = Verification(last_id=options["after"])
        after_batch = self.after_batch(progress, options)
        digests = not options["no_digests"]
        problems = verify(progress, repair=options["repair"], digests=digests, after_batch=after_batch)
        self.write_problems(problems, progress, as_json=options["json"])
        if progress.unrepaired:
            advice = NOT_REPAIRABLE if options["repair"] else REPAIR
            raise CommandError(UNREPAIRED % {"count": progress.unrepaired} + advice, returncode=FAILED)

    def compare_with_seal(self, options: dict[str, Any]) -> None:
        if options["repair"]:
            raise CommandError("--repair cannot restore sealed entries; run it without --sealed.", returncode=UNUSABLE)
        try:
            file = SealFile(options["sealed"])
            require_known(file)
        except UnusableSeal as error:
            raise CommandError(str(error), returncode=UNUSABLE) from error
        progress = SealVerification(last_id=options["after"])
        after_batch = self.after_batch(progress, options)
        problems = verify_sealed(file, progress, digests=not options["no_digests"], after_batch=after_batch)
        self.write_problems(problems, progress, as_json=options["json"], seal=file)
        if progress.unrepaired:
            values = {"count": progress.unrepaired, "time": file.seal.time}
            raise CommandError(CHANGED_SINCE_SEAL % values, returncode=FAILED)

    def write_problems(
        self, problems: Iterable[Problem], progress: Verification, *, as_json: bool, seal: SealFile | None = None
    ) -> None:
        """Write each problem, and the sums at the end, also if the run is interrupted."""
        try:
            for problem in problems:
                self.stdout.write(json.dumps(problem.as_dict()) if as_json else _problem_line(problem))
        finally:
            sums = _sums(progress, seal)
            self.stdout.write(json.dumps(sums) if as_json else _sums_text(progress, sums))


def _problem_line(problem: Problem) -> str:
    versions = ", ".join(map(str, problem.versions)) + (", ..." if problem.count > len(problem.versions) else "")
    repaired = "repaired" if problem.repaired else "not repaired"
    line = f"{problem.kind}: row {problem.student_module_id}, version {versions}: {repaired}. {problem.detail}"
    return line.strip()


def _sums(progress: Verification, file: SealFile | None) -> dict[str, Any]:
    sums: dict[str, Any] = {
        "rows": progress.rows,
        "entries": progress.entries,
        "last_id": progress.last_id,
        "problems": dict(progress.problems),
        "unrepaired": progress.unrepaired,
    }
    if file is not None and isinstance(progress, SealVerification):
        sums |= {"sealed": file.seal.last_line(), "erased": progress.erased}
    return sums


def _sums_text(progress: Verification, sums: dict[str, Any]) -> str:
    found = ", ".join(f"{count} {kind}" for kind, count in progress.problems.items()) or "nothing wrong"
    line = f"{progress.rows} rows and {progress.entries} entries compared, up to row {progress.last_id}: {found}."
    return f"{line}\n{ERASED.format(**sums)}" if "sealed" in sums else line
