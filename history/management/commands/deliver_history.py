"""``manage.py deliver_history``: entries that wait beside the state go into the history database."""

import logging
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError, close_old_connections

from history.management.arguments import positive
from history.management.batches import Progress
from history.management.stopping import stopped_by_signals
from history.recording.delivery import BATCH_SIZE, Delivery, deliver, waiting

logger = logging.getLogger("history")

FAILED, LEFT = 1, 3
"""exit codes"""

NOT_DELIVERED = (
    "The history entries were not delivered: %(error)s. They stay in the database of the state. Run `manage.py "
    "history_health`, correct the cause, and run `manage.py deliver_history` again."
)
REFUSED = (
    "The history database refused %(count)d entries, which stay in the database of the state. The logger 'history' "
    "names each of them and the reason. Correct the cause, and run `manage.py deliver_history` again."
)
STILL_PENDING = "Not every history entry is delivered yet. Run `manage.py deliver_history` again."


class Command(BaseCommand):
    """Safe to run twice, and several at once."""

    help = (
        "Moves history entries that wait beside the state into the history database, oldest first. Exit code: 0 when "
        "none waits any more, 1 when the history database did not take them, 3 when it was stopped with entries left."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--watch", action="store_true", help="go on until SIGTERM or SIGINT")
        parser.add_argument("--interval", type=float, default=5.0, help="seconds between looks (default: %(default)s)")
        parser.add_argument("--limit", type=positive, help="deliver no more than this")
        parser.add_argument(
            "--batch-size", type=positive, default=BATCH_SIZE, help="entries in one transaction (default: %(default)s)"
        )
        parser.add_argument("--dry-run", action="store_true", help="say how many wait, and deliver none")

    def handle(self, *args: Any, dry_run: bool, watch: bool, interval: float, **options: Any) -> None:
        if dry_run:
            self.stdout.write(f"{waiting().count()} entries wait for delivery.")
            return
        with stopped_by_signals() as self.stopped:
            result = self.deliver_until_stopped(interval, options) if watch else self.deliver_once(options)
        self.report(result)

    def deliver_until_stopped(self, interval: float, options: dict[str, Any]) -> Delivery:
        """Deliver again and again until told to stop; return what the last time did."""
        while True:
            try:
                result = self.deliver_once(options)
            except (DatabaseError, InterfaceError) as error:
                result = Delivery(error=error)
                logger.error(
                    "The waiting entries cannot be counted; tried again in %s s: %s",
                    interval,
                    error,
                    extra={"event": "delivery_failed"},
                )
            if self.stopped.wait(interval):
                return result
            # Else a connection that a restarted server ended would be used for ever.
            close_old_connections()

    def deliver_once(self, options: dict[str, Any]) -> Delivery:
        total = waiting().count() if options["verbosity"] else 0
        progress = Progress(self.stderr, verbosity=options["verbosity"])
        return deliver(
            batch_size=options["batch_size"],
            limit=options["limit"],
            stop=self.stopped.is_set,
            progress=lambda count: progress(f"{count} of {max(total, count)} delivered"),
        )

    def report(self, result: Delivery) -> None:
        """Print what was delivered. Raises CommandError with the exit code where an entry is left."""
        if result.error:
            raise CommandError(NOT_DELIVERED % {"error": " ".join(str(result.error).split())}, returncode=FAILED)
        if result.refused:
            raise CommandError(REFUSED % {"count": result.refused}, returncode=FAILED)
        left = waiting().exists()
        self.stdout.write(f"Delivered {result.delivered} entries; {'others still wait' if left else 'none waits'}.")
        if left:
            raise CommandError(STILL_PENDING, returncode=LEFT)
