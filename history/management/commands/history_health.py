"""``manage.py history_health``: reports whether entries reach the history database."""

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from history.conf import conf
from history.recording.health import Health, health

UNHEALTHY = 1
"""exit code"""


class Command(BaseCommand):
    """Reads only."""

    help = "Reports whether the history database answers, and how many entries are pending. Exit code 1 if unhealthy."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")

    def handle(self, *args: Any, **options: Any) -> None:
        found = health()
        values = found.as_dict()
        if options["json"]:
            self.stdout.write(json.dumps(values, default=str))
        else:
            for name, value in values.items():
                self.stdout.write(f"{name.replace('_', ' ')}: {value}")
        if not found.healthy:
            raise CommandError(" ".join(_problems(found)), returncode=UNHEALTHY)


def _problems(found: Health) -> Iterator[str]:
    alias = conf.HISTORY_DATABASE_ALIAS
    if not found.reachable:
        reason = " ".join(found.error.split())
        yield f"The history database {alias!r} does not answer: {reason}. Check DATABASES[{alias!r}] and the server."
    elif not found.migrated:
        yield f"The history database {alias!r} lacks the table of entries. Run `manage.py migrate --database {alias}`."
    if found.overdue:
        yield (
            f"{found.pending} history entries are pending, the oldest since {found.oldest_pending}. Run `manage.py "
            "deliver_history`."
        )
