"""``manage.py seal_history``: one digest over the history as it is now, to be kept elsewhere."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from history.management.arguments import positive
from history.management.batches import Progress
from history.verification.seals import BATCH_SIZE, Sealing, seal

NOT_SEALED = (
    "The seal is complete except for %(count)d entries whose digests are malformed: %(places)s. Run `manage.py "
    "verify_history`, which reports them as altered."
)
NAMED = 10


class Command(BaseCommand):
    """Reads only; safe while learners write."""

    help = (
        "Prints a seal as JSON Lines: the newest entry of every row with its digest, and in the last line one digest "
        "over all of them. Keep the file where the operators of the databases cannot change it; verify_history "
        "--sealed FILE later reports sealed entries that were changed or removed. Exit code 1 when an entry could not "
        "be sealed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--batch-size", type=positive, default=BATCH_SIZE, help="rows read at once (default: %(default)s)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        progress = Sealing()
        shown = Progress(self.stderr, verbosity=options["verbosity"])
        lines = seal(
            progress,
            batch_size=options["batch_size"],
            after_batch=lambda: shown(f"{progress.rows} rows read, up to row {progress.last_id}"),
        )
        for line in lines:
            self.stdout.write(line, ending="")
        if progress.malformed:
            places = ", ".join(f"row {row_id} version {version}" for row_id, version in progress.malformed[:NAMED])
            raise CommandError(NOT_SEALED % {"count": len(progress.malformed), "places": places}, returncode=1)
