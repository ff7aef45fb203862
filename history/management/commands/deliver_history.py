"""``manage.py deliver_history``: entries that wait beside the state go into the history database."""

import logging
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DatabaseError, InterfaceError, close_old_connections

from history.delivery import BATCH_SIZE, Delivery, deliver, waiting
from history.management.arguments import positive
from history.management.progress import Progress
from history.management.stopping import stopped_by_signals

logger = logging.getLogger("history")

DONE, FAILED, LEFT = 0, 1, 3


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
            sys.exit(self.report(result))

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

    def report(self, result: Delivery) -> int:
        """Say what was done, and return the exit code."""
        if result.error:
            self.stderr.write(f"The entries were not delivered, and wait on: {result.error}")
            return FAILED
        if result.refused:
            self.stderr.write(f"{result.refused} entries were refused and wait on; the log says which and why.")
            return FAILED
        left = waiting().exists()
        self.stdout.write(f"Delivered {result.delivered} entries; {'others still wait' if left else 'none waits'}.")
        return LEFT if left else DONE
