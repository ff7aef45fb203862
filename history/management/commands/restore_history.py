"""``manage.py restore_history``: repairs an incident, or shows what a repair would change."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TextIO

from django.core.management.base import CommandError
from django.db import DatabaseError, InterfaceError
from django.utils.connection import ConnectionDoesNotExist
from django.utils.translation import gettext as _

from history.exceptions import RestoreRefused, UnusableSelection
from history.export import iso, json_line
from history.incident.criteria import CRITERIA, command_line, option_name, selection_from
from history.incident.repair import new_repair_id, repair
from history.incident.results import Repair, RepairedRow
from history.incident.selection import Selection
from history.management.batches import BatchCommand, stopped_by_signals
from history.management.repair_output import summary, table_head, table_line
from kvstore.exceptions import UnusableContext
from kvstore.staff.text import escape_unprintable

FAILED, STOPPED = 1, 3
"""exit codes"""

HELP = {
    "course": "the key of a course, or the address of one of its pages",
    "block": "a usage key, or the address of a page that contains it",
    "block_type": "the type of the blocks, such as problem",
    "actor": "who made the changes: username, e-mail address, or id:NUMBER, also of a deleted user",
    "request_id": "the request id of the changes; that of a repair, to undo the repair",
    "recorded_reason": "the reason that was recorded with the changes",
    "since": "the beginning, included; ISO 8601, by default in the current time zone",
    "until": "the end, not included; ISO 8601; for a date, the end of the day",
}


class Command(BatchCommand):
    """Safe to run twice, several times at once, and while learners write."""

    help = (
        "Restores each block of each learner to the version before the selected changes, and keeps changes that were "
        "made afterwards to other fields. Prints a line for each row and the sums. Select by actor, request id or "
        "recorded reason, or give both --since and --until. Exit code 1 if rows were skipped, nothing is selected or "
        "a database failed, 3 if the command was stopped."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        for name in CRITERIA:
            parser.add_argument(option_name(name), default="", help=HELP[name])
        parser.add_argument("--reason", default="", help="why you repair; stored with every new version")
        parser.add_argument("--keep-grades", action="store_true", help="restore the states only")
        parser.add_argument("--dry-run", action="store_true", help="print the report and write nothing")
        parser.add_argument("--json-lines", metavar="FILE", help="append the report to this file, as JSON Lines")
        parser.add_argument("--repair-id", default="", help="continue an interrupted repair under its id")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            selection = selection_from({name: options[name] for name in CRITERIA})
        except UnusableSelection as error:
            raise CommandError(escape_unprintable(str(error)), returncode=FAILED) from error
        progress = Repair(repair_id=options["repair_id"] or new_repair_id())
        with stopped_by_signals() as stopped, _lines_of(options["json_lines"]) as write_json:
            # Before the first row: a killed command prints nothing more.
            self.write_lines([_("repair %(id)s") % {"id": progress.repair_id}, table_head()])
            try:
                self.repair(selection, progress, write_json, stopped.is_set, options)
            except (UnusableSelection, RestoreRefused, UnusableContext) as error:
                raise CommandError(escape_unprintable(str(error)), returncode=FAILED) from error
            except (DatabaseError, InterfaceError, ConnectionDoesNotExist) as error:
                reason = _("A database failed: %(error)s.") % {"error": " ".join(str(error).split())}
                raise _ended_early(reason, progress, options, FAILED) from error
            finally:
                self.write_lines(summary(progress))
                write_json(progress.as_dict())
        self.report_end(progress, options, stopped=stopped.is_set())

    def repair(
        self,
        selection: Selection,
        progress: Repair,
        write_json: Callable[[Any], None],
        stop: Callable[[], bool],
        options: dict[str, Any],
    ) -> None:
        def report(row: RepairedRow) -> None:
            self.write_lines([table_line(row)])
            write_json(row.as_dict())

        repair(
            selection,
            **{name: options[name] for name in ("reason", "keep_grades", "dry_run", "after")},
            repair_id=progress.repair_id,
            progress=progress,
            report=report,
            stop=stop,
            after_batch=self.after_batch(progress, options),
        )

    def report_end(self, progress: Repair, options: dict[str, Any], *, stopped: bool) -> None:
        """Print the command that undoes the repair. Raises CommandError if the work is not complete."""
        if stopped:
            raise _ended_early(_("The command was stopped."), progress, options, STOPPED)
        if not progress.entries and not options["after"]:
            raise CommandError(_("No committed entry matches the selection. Nothing was written."), returncode=FAILED)
        if progress.written and not progress.dry_run:
            undo = {"request_id": progress.repair_id}
            if progress.started and not options["repair_id"]:
                undo["since"] = iso(progress.started)
            self.write_lines([_("to undo: %(command)s") % {"command": command_line(undo, "--reason=...")}])
        if progress.skipped:
            raise CommandError(
                _("%(count)d rows were skipped: the table has the results. See docs/howto/incidents.md.")
                % {"count": progress.skipped},
                returncode=FAILED,
            )

    def write_lines(self, lines: Iterable[str]) -> None:
        """Write lines; unprintable characters, and those outside the encoding of the output, are escaped."""
        encoding = getattr(self.stdout, "encoding", None) or "utf-8"
        for line in lines:
            self.stdout.write(escape_unprintable(line).encode(encoding, "backslashreplace").decode(encoding))
        self.stdout.flush()


@contextmanager
def _lines_of(path: str | None) -> Iterator[Callable[[Any], None]]:
    """Yield a function that appends an object to a file of JSON Lines; without a path it does nothing."""
    if path is None:
        yield lambda values: None
        return
    with ExitStack() as stack:
        try:
            # Written line by line: the report of a killed command must contain the rows.
            file = stack.enter_context(open(path, "a", encoding="ascii", buffering=1))
        except OSError as error:
            message = _("The file cannot be written: %(error)s") % {"error": error}
            raise CommandError(message, returncode=FAILED) from error
        yield lambda values: _append(file, values)


def _append(file: TextIO, values: Any) -> None:
    file.write(json_line(values))


def _ended_early(reason: str, progress: Repair, options: dict[str, Any], returncode: int) -> CommandError:
    again = [f"--reason={options['reason']}"] if options["reason"] else []
    again += [flag for flag in ("--keep-grades", "--dry-run") if options[flag[2:].replace("-", "_")]]
    command = command_line(options, *again, f"--repair-id={progress.repair_id}", f"--after={progress.last_id}")
    hint = _("Each row is repaired or unchanged. To continue: %(command)s") % {"command": command}
    return CommandError(escape_unprintable(f"{reason} {hint}"), returncode=returncode)
