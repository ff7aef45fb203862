"""``manage.py learner_history``: what happened to a learner's state of a block, newest first."""

from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import datetime
from itertools import chain
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from history.comparison.diff import LIMIT
from history.conf import is_recorded
from history.exceptions import HistoryUnavailable
from history.export import json_line
from history.management import lookups
from history.management.arguments import not_negative
from history.management.lookups import Learner, Names
from history.management.output import SHOWN_CHANGES, Version, as_json, as_lines, person, versions
from history.management.terminal import wrapped
from history.models import Entry
from history.reading.timeline import Span, timeline_of
from kvstore.keys import BlockAddress
from kvstore.staff.text import escape_unprintable

PAGE_SIZE = 50
"""versions in one query: with their states, which may be large"""


class Command(BaseCommand):
    """Reads only, and holds a page of versions at once, however many there are."""

    help = (
        "Prints the versions of a learner's state of a block, newest first: when, who, why, in which request, the "
        "grade, what is to be noticed, and what changed. Exit code 1 when there is nothing to print or the history "
        "database cannot be read."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="user name, e-mail address, or id:NUMBER, also of a user who was deleted")
        parser.add_argument("block", help="usage key, or a URL that has it in its path")
        parser.add_argument("--course", help="the course of a usage key of the old form, i4x://...")
        parser.add_argument(
            "--limit", type=not_negative, default=50, help="versions, 0 for all of them (default: %(default)s)"
        )
        parser.add_argument(
            *("--at", "--as-of"),
            type=lookups.moment,
            metavar="MOMENT",
            help="only the version that held then, with its state; ISO 8601, in the current time zone if it names none",
        )
        parser.add_argument("--state", action="store_true", help="print the states in full")
        parser.add_argument("--json", action="store_true", help="one JSON object a line, the state as it is stored")

    def handle(self, *args: Any, user: str, block: str, course: str | None, **options: Any) -> None:
        address = lookups.block(block, course)
        learner = lookups.learner(user)
        try:
            entries = timeline_of(learner.pk, address, Span(until=options["at"]), page_size=PAGE_SIZE)
            newest = next(entries, None)
            if newest is None:
                raise CommandError(escape_unprintable(_nothing(learner, address, options["at"])))
            self.write(learner, address, chain([newest], entries), options)
        except HistoryUnavailable as error:
            asked = _("manage.py history_health tells more.")
            raise CommandError(f"{' '.join(str(error).split())} {asked}") from error

    def write(self, learner: Learner, address: BlockAddress, entries: Iterator[Entry], options: dict[str, Any]) -> None:
        limit = 1 if options["at"] else options["limit"]
        if not options["json"]:
            self.write_lines(_heading(learner, address))
        compared = versions(entries, limit=LIMIT if options["json"] else SHOWN_CHANGES)
        name = Names()
        for count, version in enumerate(compared):
            if limit and count == limit:
                self.write_end(version, options)
                return
            if options["json"]:
                self.stdout.write(json_line(as_json(version)), ending="")
            else:
                self.write_lines(as_lines(version, name, with_state=bool(options["state"] or options["at"])))

    def write_end(self, version: Version, options: dict[str, Any]) -> None:
        """Say that there are older versions, the first of them being this, unless that is known or in the way."""
        if not options["json"] and not options["at"]:
            end = _("Older versions, from version %(version)d down, are left out; --limit 0 prints all of them.")
            self.write_lines(wrapped(end % {"version": version.entry.version}))

    def write_lines(self, lines: Iterator[str]) -> None:
        # A terminal that cannot show a character shows its escape.
        encoding = getattr(self.stdout, "encoding", None) or "utf-8"
        for line in lines:
            self.stdout.write(line.encode(encoding, "backslashreplace").decode(encoding))


def _heading(learner: Learner, address: BlockAddress) -> Iterator[str]:
    yield from wrapped(person(learner.pk, lambda _id: learner.name), hanging="  ")
    yield from wrapped(address.usage_key, hanging="  ")
    yield from wrapped(address.course_id, hanging="  ")
    yield ""


def _nothing(learner: Learner, address: BlockAddress, at: datetime | None) -> str:
    """Return why there is nothing to show."""
    of = {"block": address.usage_key, "learner": person(learner.pk, lambda _id: learner.name)}
    if at is not None:
        return _("%(block)s has no history for %(learner)s until %(at)s.") % {**of, "at": at.isoformat()}
    if is_recorded(address.block_type):
        return _("%(block)s has no history for %(learner)s.") % of
    return _(
        "%(block)s has no history for %(learner)s: blocks of type %(type)r are not recorded. The setting "
        "HISTORY_BLOCK_TYPES says which are."
    ) % {**of, "type": address.block_type}
