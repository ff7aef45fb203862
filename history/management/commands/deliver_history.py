"""``manage.py deliver_history``: moves pending entries into the history database."""

import json
import logging
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError, close_old_connections
from django.utils import timezone

from history.export import iso
from history.management.arguments import seconds
from history.management.batches import ProgressLine, stopped_by_signals
from history.recording.delivery import Delivery, deliver
from history.recording.pending import pending_entries

logger = logging.getLogger("history")

FAILED, STILL_PENDING = 1, 3
"""exit codes"""

NOT_DELIVERED = (
    "The history entries were not delivered: %(error)s. They stay in the database of the state. Run `manage.py "
    "history_health`, correct the cause, and run `manage.py deliver_history` again."
)
REFUSED = (
    "The history database refused %(count)d entries, which stay in the database of the state. The logger 'history' "
    "names each of them and the reason. Correct the cause, and run `manage.py deliver_history` again."
)
NOT_ALL_DELIVERED = "Some history entries are still pending. Run `manage.py deliver_history` again."


class Command(BaseCommand):
    """Safe to run twice, and several times at once."""

    help = (
        "Moves pending history entries into the history database, oldest first. Exit code 0 if all were delivered, "
        "1 if the history database did not accept them, 3 if the command was stopped while entries were pending."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--watch", action="store_true", help="continue until SIGTERM or SIGINT")
        parser.add_argument(
            "--interval",
            type=seconds,
            default=5.0,
            help="seconds between deliveries, with --watch (default: 5)",
        )
        parser.add_argument("--dry-run", action="store_true", help="print the number of pending entries, deliver none")
        parser.add_argument(
            "--json",
            action="store_true",
            help="print one JSON object; with --watch, one for each delivery that delivered entries or failed",
        )

    def handle(self, *args: Any, dry_run: bool, watch: bool, **options: Any) -> None:
        self.as_json = options["json"]
        if dry_run:
            self.print_pending()
            return
        with stopped_by_signals() as self.stopped:
            if watch:
                result = self.deliver_until_stopped(options["interval"], options["verbosity"])
            else:
                result = self.deliver_once(options["verbosity"])
                self.print_json(result)
        self.report(result)

    def deliver_until_stopped(self, interval: float, verbosity: int) -> Delivery:
        """Return the result of the last delivery."""
        while True:
            try:
                result = self.deliver_once(verbosity)
            except (DatabaseError, InterfaceError) as error:
                result = Delivery(error=error)
                logger.error(
                    "The pending entries cannot be counted; the next attempt is in %s s: %s",
                    interval,
                    error,
                    extra={"event": "delivery_failed"},
                )
            if result.delivered or result.refused or result.error:
                self.print_json(result)
            if self.stopped.wait(interval):
                return result
            # A restarted server has closed the connection.
            close_old_connections()

    def deliver_once(self, verbosity: int) -> Delivery:
        total = pending_entries().count() if verbosity else 0
        write = ProgressLine(self.stderr, verbosity=verbosity)
        return deliver(
            stop=self.stopped.is_set, progress=lambda count: write(f"{count} of {max(total, count)} delivered")
        )

    def print_pending(self) -> None:
        if self.as_json:
            self.print_json(Delivery())
        else:
            self.stdout.write(f"{pending_entries().count()} entries are pending.")

    def print_json(self, result: Delivery) -> None:
        """Print a delivery as one line, if --json is set. ``pending`` is null if a failure made it unknown."""
        if not self.as_json:
            return
        values = {
            "time": iso(timezone.now()),
            "delivered": result.delivered,
            "refused": result.refused,
            "pending": None if result.error else _number_of_pending(),
            "error": _one_line(result.error),
        }
        self.stdout.write(json.dumps(values))
        # A log collector reads each line when it is written.
        self.stdout.flush()

    def report(self, result: Delivery) -> None:
        """Print the number of delivered entries. Raises CommandError with the exit code if entries are pending."""
        if result.error:
            raise CommandError(NOT_DELIVERED % {"error": _one_line(result.error)}, returncode=FAILED)
        if result.refused:
            raise CommandError(REFUSED % {"count": result.refused}, returncode=FAILED)
        are_pending = pending_entries().exists()
        if not self.as_json:
            pending = "others are still pending" if are_pending else "none is pending"
            self.stdout.write(f"Delivered {result.delivered} entries; {pending}.")
        if are_pending:
            raise CommandError(NOT_ALL_DELIVERED, returncode=STILL_PENDING)


def _number_of_pending() -> int | None:
    try:
        return pending_entries().count()
    except (DatabaseError, InterfaceError):
        # The line must not be lost: its entries were delivered. The next query of the command reports the failure.
        return None


def _one_line(error: BaseException | None) -> str:
    return " ".join(str(error or "").split())
