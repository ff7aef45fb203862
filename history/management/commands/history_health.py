"""``manage.py history_health``: reports whether entries reach the history database."""

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from history.conf import conf
from history.recording.health import Health, health
from kvstore.staff.dates import format_moment

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
                text = format_moment(value) if isinstance(value, datetime) else value
                self.stdout.write(f"{name.replace('_', ' ')}: {text}")
        if not found.healthy:
            raise CommandError(" ".join(_problems(found)), returncode=UNHEALTHY)


def _problems(found: Health) -> Iterator[str]:
    alias = conf.HISTORY_DATABASE_ALIAS
    if not found.reachable:
        reason = " ".join(found.error.split())
        yield f"The history database {alias!r} does not answer: {reason}. Check DATABASES[{alias!r}] and the server."
    elif not found.migrated:
        yield f"The history database {alias!r} lacks the table of entries. Run `manage.py migrate --database {alias}`."
    if found.overdue and found.oldest_pending:
        since = format_moment(found.oldest_pending)
        yield (
            f"{found.pending} history entries are pending, the oldest since {since}. Run `manage.py deliver_history`."
        )
        if found.refused:
            yield f"The history database refused {found.refused} of them. The log contains the reasons."
