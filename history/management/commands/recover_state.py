"""``manage.py recover_state``: the state that the history proves, after `default` was restored from a backup."""

import json
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError
from django.utils.connection import ConnectionDoesNotExist

from history.conf import conf
from history.management.arguments import not_negative, positive, seconds
from history.management.batches import Progress
from history.management.lookups import moment
from history.management.stopping import stopped_by_signals
from history.recovery.recover import BATCH_SIZE, is_apart, not_in_history, recover
from history.recovery.results import Recovery

FAILED, STOPPED = 1, 3
"""exit codes"""

ONE_DATABASE = (
    "The history is in the database of the state (HISTORY_DATABASE_ALIAS is %(alias)r), so a backup contains both, and "
    "no entry can be newer than its row. Nothing was changed."
)
LEFT = (
    "%(count)d results need a decision: the lines with another result than restored or deleted say which and why. See "
    "docs/howto/recovery.md."
)
ENDED_EARLY = (
    "%(reason)s Each row is restored or as it was. Run `manage.py recover_state --after %(last_id)d` to continue; a "
    "run without --after is safe too."
)


class Command(BaseCommand):
    """Safe to run twice, and while learners write."""

    help = (
        "Finds rows whose entries continue past their version, and rows that are missing, after the database of the "
        "state was restored from a backup, and restores the state that the history proves, with ids and sequences. "
        'The newest entry of a row may have been rolled back: its row is restored with "proved": false. Prints one '
        "JSON object a line, the sums last. Exit code 1 when rows are left that need a decision, 3 when it was stopped."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="print the report and write nothing")
        parser.add_argument(
            "--only-proved", action="store_true", help="leave out versions that may have been rolled back"
        )
        parser.add_argument(
            "--since",
            type=moment,
            metavar="MOMENT",
            help="when the backup was made, ISO 8601: leaves out versions without proof from more than an hour before",
        )
        parser.add_argument(
            "--until",
            type=moment,
            metavar="MOMENT",
            help="when the database was lost, ISO 8601: leaves out versions without proof that were written later",
        )
        parser.add_argument("--after", type=not_negative, default=0, metavar="ROW_ID", help="continue after this row")
        parser.add_argument(
            "--batch-size", type=positive, default=BATCH_SIZE, help="row ids compared at once (default: %(default)s)"
        )
        parser.add_argument("--sleep", type=seconds, default=0, help="seconds to rest after each batch")

    def handle(self, *args: Any, **options: Any) -> None:
        progress = Recovery(last_id=options["after"])
        if not is_apart():
            self.stderr.write(ONE_DATABASE % {"alias": conf.HISTORY_DATABASE_ALIAS})
        excluded = not_in_history()
        with stopped_by_signals() as stopped:
            try:
                self.recover(progress, stopped.is_set, options)
            except (DatabaseError, InterfaceError, ConnectionDoesNotExist) as error:
                reason = f"A database failed: {' '.join(str(error).split())}."
                raise _ended_early(reason, progress, FAILED) from error
            finally:
                self.write_line(self.sums(progress, excluded, options))
        if stopped.is_set():
            raise _ended_early("The command was stopped.", progress, STOPPED)
        if progress.left:
            raise CommandError(LEFT % {"count": progress.left}, returncode=FAILED)

    def recover(self, progress: Recovery, stop: Callable[[], bool], options: dict[str, Any]) -> None:
        shown = Progress(self.stderr, verbosity=options["verbosity"])
        recover(
            progress,
            lambda row: self.write_line(row.as_dict()),
            dry_run=options["dry_run"],
            only_proved=options["only_proved"],
            since=options["since"],
            until=options["until"],
            batch_size=options["batch_size"],
            pause=options["sleep"],
            stop=stop,
            after_batch=lambda: shown(f"{progress.rows} rows compared; to go on from here: --after {progress.last_id}"),
        )

    def sums(self, progress: Recovery, excluded: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
        """Return the last line of the report."""
        return {
            "dry_run": options["dry_run"],
            "rows": progress.rows,
            "results": dict(progress.results),
            "not_proved": progress.not_proved,
            "left": progress.left,
            "next_id": progress.next_id._asdict() if progress.next_id else None,
            "not_in_history": excluded,
            "last_id": progress.last_id,
        }

    def write_line(self, values: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(values))
        # A command that is killed leaves a report of what it did.
        self.stdout.flush()


def _ended_early(reason: str, progress: Recovery, returncode: int) -> CommandError:
    return CommandError(ENDED_EARLY % {"reason": reason, "last_id": progress.last_id}, returncode=returncode)
