"""``manage.py history_health``: whether the history is kept."""

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from history.health import health


class Command(BaseCommand):
    """Reads only."""

    help = "Tells whether the history database answers and how many entries wait for it. Exit code 1 when unhealthy."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")

    def handle(self, *args: Any, **options: Any) -> None:
        found = health()
        values = found.as_dict()
        if options["json"]:
            self.stdout.write(json.dumps(values, default=str))
        else:
            for name, value in values.items():
                self.stdout.write(f"{name.replace('_', ' ')}: {value}")
        sys.exit(0 if found.healthy else 1)
