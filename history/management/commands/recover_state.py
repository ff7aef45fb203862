"""``manage.py recover_state``: restores the state from the history after `default` was restored from a backup."""

import json
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandError
from django.db import DatabaseError, InterfaceError
from django.utils.connection import ConnectionDoesNotExist

from history.conf import conf
from history.management.batches import BatchCommand, stopped_by_signals
from history.management.lookups import moment
from history.recovery.recover import has_own_database, not_in_history, recover
from history.recovery.results import Recovery

FAILED, STOPPED = 1, 3
"""exit codes"""

ONE_DATABASE = (
    "The history is in the database of the state (HISTORY_DATABASE_ALIAS is %(alias)r), so a backup contains both, and "
    "every entry is as old as its row. Nothing was changed."
)
NEEDS_DECISION = (
    "%(count)d results need a decision: these are the lines with a result other than restored or deleted. See "
    "docs/howto/recovery.md."
)
ENDED_EARLY = (
    "%(reason)s Each row is restored or unchanged. Run `manage.py recover_state --after %(last_id)d` to continue; a "
    "run without --after is safe too."
)


class Command(BatchCommand):
    """Safe to run twice, and while learners write."""

    help = (
        "Restores rows after the database of the state was restored from a backup: rows with entries above their "
        "version, and missing rows, with their ids. Also raises the ids of new rows. The newest entry of a row may "
        'have been rolled back: such a row is restored with "proved": false. Prints one JSON object a line, the sums '
        "last. Exit code 1 if results need a decision or a database failed, 3 if the command was stopped."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--dry-run", action="store_true", help="print the report and write nothing")
        parser.add_argument("--only-proved", action="store_true", help="exclude versions that may be rolled back")
        parser.add_argument(
            "--since",
            type=moment,
            metavar="MOMENT",
            help="when the backup was made, ISO 8601: excludes unproved versions from more than an hour before",
        )
        parser.add_argument(
            "--until",
            type=moment,
            metavar="MOMENT",
            help="when the database was lost, ISO 8601: excludes unproved versions that were written later",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        progress = Recovery(last_id=options["after"])
        if not has_own_database():
            self.stderr.write(ONE_DATABASE % {"alias": conf.HISTORY_DATABASE_ALIAS})
        excluded = not_in_history()
        with stopped_by_signals() as stopped:
            try:
                self.recover(progress, stopped.is_set, options)
            except (DatabaseError, InterfaceError, ConnectionDoesNotExist) as error:
                reason = f"A database failed: {' '.join(str(error).split())}."
                raise _ended_early(reason, progress, FAILED) from error
            finally:
                self.write_line(_sums(progress, dry_run=options["dry_run"]) | {"not_in_history": excluded})
        if stopped.is_set():
            raise _ended_early("The command was stopped.", progress, STOPPED)
        if progress.left:
            raise CommandError(NEEDS_DECISION % {"count": progress.left}, returncode=FAILED)

    def recover(self, progress: Recovery, stop: Callable[[], bool], options: dict[str, Any]) -> None:
        chosen = {name: options[name] for name in ("dry_run", "only_proved", "since", "until")}
        recover(
            progress,
            lambda row: self.write_line(row.as_dict()),
            **chosen,
            stop=stop,
            after_batch=self.after_batch(progress, options),
        )

    def write_line(self, values: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(values))
        # The report of a killed command must contain every restored row.
        self.stdout.flush()


def _sums(progress: Recovery, *, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "rows": progress.rows,
        "results": dict(progress.results),
        "not_proved": progress.not_proved,
        "left": progress.left,
        "next_id": progress.next_id._asdict() if progress.next_id else None,
        "last_id": progress.last_id,
    }


def _ended_early(reason: str, progress: Recovery, returncode: int) -> CommandError:
    return CommandError(ENDED_EARLY % {"reason": reason, "last_id": progress.last_id}, returncode=returncode)
