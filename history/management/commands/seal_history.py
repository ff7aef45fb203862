"""``manage.py seal_history``: prints one digest over the present history, to store elsewhere."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from history.management.batches import ProgressLine
from history.verification.seals import Sealing, seal

NOT_SEALED = (
    "The seal is complete except for %(count)d entries with malformed digests: %(entries)s. Run `manage.py "
    "verify_history`, which reports them as altered."
)
MAX_NAMED_ENTRIES = 10


class Command(BaseCommand):
    """Reads only; safe while learners write."""

    help = (
        "Prints a seal as JSON Lines: the newest entry of every row with its digest, and in the last line one digest "
        "over all of them. Keep the file where the operators of the databases cannot change it; verify_history "
        "--sealed FILE later reports sealed entries that were changed or removed. Exit code 1 if an entry could not "
        "be sealed."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        progress = Sealing()
        write = ProgressLine(self.stderr, verbosity=options["verbosity"])
        lines = seal(progress, after_batch=lambda: write(f"{progress.rows} rows read, up to row {progress.last_id}"))
        for line in lines:
            self.stdout.write(line, ending="")
        if progress.malformed:
            named = progress.malformed[:MAX_NAMED_ENTRIES]
            entries = ", ".join(f"row {row_id} version {version}" for row_id, version in named)
            raise CommandError(NOT_SEALED % {"count": len(progress.malformed), "entries": entries}, returncode=1)
