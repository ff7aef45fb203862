"""``manage.py verify_history``: whether every version has its entry, and every entry its version."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from history.exceptions import UnusableSeal
from history.management.arguments import positive
from history.management.batches import Progress
from history.verification.row_check import Problem
from history.verification.seal_check import SealVerification, require_known, verify_sealed
from history.verification.seal_files import SealFile
from history.verification.verify import BATCH_SIZE, Verification, verify

FAILED, UNUSABLE = 1, 2
"""exit codes"""

UNREPAIRED = "The output names %(count)d problems of the history that are not repaired. "
REPAIR = "Run `manage.py verify_history --repair`, which repairs what the present rows prove."
NOT_REPAIRABLE = "The present rows do not prove what to repair; see docs/howto/outages.md, 'Verify and repair'."


class Command(BaseCommand):
    """Safe to run twice, and while learners write."""

    help = (
        "Compares the state with its history, in the order of the rows' ids, and computes every digest again. Repair "
        "records the present state of a row as its next version where the history lacks it, and erases the entries of "
        "deleted rows where HISTORY_ON_DELETE says so. Exit code 1 when something is wrong and was not repaired; "
        "phantoms, which no reader shows, may stay."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--repair", action="store_true", help="mend what can be proved")
        parser.add_argument("--no-digests", action="store_true", help="do not compute the digest of every entry")
        parser.add_argument(
            "--sealed",
            metavar="FILE",
            help="compare the entries with a seal that seal_history printed, and not with the state; exit code 2 when "
            "the file cannot be used",
        )
        parser.add_argument("--json", action="store_true", help="one JSON object a line, the sums last")
        parser.add_argument("--after", type=int, default=0, help="go on after the row with this id")
        parser.add_argument(
            "--batch-size", type=positive, default=BATCH_SIZE, help="rows compared at once (default: %(default)s)"
        )
        parser.add_argument("--sleep", type=float, default=0, help="seconds to rest after each batch")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["sealed"]:
            self.compare_with_seal(options)
            return
        progress = Verification(last_id=options["after"])
        shown = Progress(self.stderr, verbosity=options["verbosity"])
        problems = verify(
            progress,
            repair=options["repair"],
            digests=not options["no_digests"],
            batch_size=options["batch_size"],
            pause=options["sleep"],
            after_batch=lambda: shown(f"{progress.rows} rows compared; to go on from here: --after {progress.last_id}"),
        )
        try:
            for problem in problems:
                self.write(problem, as_json=options["json"])
        finally:
            # Also when it is interrupted: then this says where to go on.
            self.sum_up(progress, as_json=options["json"])
        if progress.unrepaired:
            advice = NOT_REPAIRABLE if options["repair"] else REPAIR
            raise CommandError(UNREPAIRED % {"count": progress.unrepaired} + advice, returncode=FAILED)

    def compare_with_seal(self, options: dict[str, Any]) -> None:
        """Report what was changed or removed since the seal. Raises CommandError if anything was."""
        if options["repair"]:
            raise CommandError("--repair cannot restore sealed entries; run it without --sealed.", returncode=UNUSABLE)
        try:
            file = SealFile(options["sealed"])
            require_known(file)
        except UnusableSeal as error:
            raise CommandError(str(error), returncode=UNUSABLE) from error
        progress = SealVerification(last_id=options["after"])
        shown = Progress(self.stderr, verbosity=options["verbosity"])
        problems = verify_sealed(
            file,
            progress,
            digests=not options["no_digests"],
            batch_size=options["batch_size"],
            pause=options["sleep"],
            after_batch=lambda: shown(f"{progress.rows} rows compared; to go on from here: --after {progress.last_id}"),
        )
        try:
            for problem in problems:
                self.write(problem, as_json=options["json"])
        finally:
            self.sum_up(progress, as_json=options["json"], sealed=file.seal.last_line(), erased=progress.erased)
        if progress.unrepaired:
            raise CommandError(
                f"The output names {progress.unrepaired} problems: entries that were sealed at {file.seal.time} were "
                "changed or removed. Compare these rows with a backup from that time.",
                returncode=FAILED,
            )

    def write(self, problem: Problem, *, as_json: bool) -> None:
        values = problem.as_dict()
        if as_json:
            self.stdout.write(json.dumps(values))
        else:
            versions = ", ".join(map(str, problem.versions)) + (
                ", ..." if problem.count > len(problem.versions) else ""
            )
            mended = "repaired" if problem.repaired else "not repaired"
            where = f"row {problem.student_module_id}, version {versions}"
            self.stdout.write(f"{problem.kind}: {where}: {mended}. {problem.detail}".strip())

    def sum_up(self, progress: Verification, *, as_json: bool, **of_seal: Any) -> None:
        sums = {
            "rows": progress.rows,
            "entries": progress.entries,
            "last_id": progress.last_id,
            "problems": dict(progress.problems),
            "unrepaired": progress.unrepaired,
            **of_seal,
        }
        if as_json:
            self.stdout.write(json.dumps(sums))
        else:
            found = ", ".join(f"{count} {kind}" for kind, count in progress.problems.items()) or "nothing wrong"
            self.stdout.write(
                f"{progress.rows} rows and {progress.entries} entries compared, up to row {progress.last_id}: {found}."
            )
            if of_seal:
                self.stdout.write(
                    "Erased since the seal {sealed[seal]} of {sealed[time]}: {erased} rows.".format(**of_seal)
                )
