"""``manage.py learner_history``: prints the versions of a learner's state of a block, newest first."""

from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from history.comparison.diff import LIMIT
from history.conf import is_recorded
from history.evidence.archive import write_evidence
from history.exceptions import HistoryUnavailable
from history.export import json_line
from history.management import lookups
from history.management.arguments import not_negative
from history.management.lookups import UsernameCache
from history.management.output import SHOWN_CHANGES, as_json, as_lines, format_user, versions
from history.models import Entry
from history.reading.timeline import TimelinePart, timeline_of
from kvstore.keys import BlockAddress
from kvstore.staff.dates import format_moment
from kvstore.staff.text import escape_unprintable
from kvstore.staff.users import User

PAGE_SIZE = 50
"""versions in one query, with their states, which may be large"""


class Command(BaseCommand):
    """Reads only. Holds one page of versions in memory."""

    help = (
        "Prints the versions of a learner's state of a block, newest first: the time, the actor, the reason, the "
        "request, the grade, the flags and the changes. Exit code 1 if there are no versions or the history database "
        "cannot be read."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="username, e-mail address, or id:NUMBER, also of a deleted user")
        parser.add_argument("block", help="usage key, or a URL that contains it")
        parser.add_argument("--course", help="the course of a usage key of the old form, i4x://...")
        parser.add_argument(
            "--limit", type=not_negative, default=50, help="number of versions, 0 for all (default: %(default)s)"
        )
        parser.add_argument(
            *("--at", "--as-of"),
            type=lookups.moment,
            metavar="MOMENT",
            help="only the version of this time, with its state; ISO 8601, by default in the current time zone",
        )
        parser.add_argument("--state", action="store_true", help="print the complete states")
        parser.add_argument("--json", action="store_true", help="print one JSON object a line, with the stored state")
        parser.add_argument(
            *("--evidence",),
            metavar="FILE.zip",
            help="write all versions for an appeal to a new file: a page to print, JSON Lines, the state, a manifest",
        )

    def handle(self, *args: Any, user: str, block: str, course: str | None, **options: Any) -> None:
        address = lookups.block(block, course)
        learner = lookups.learner(user)
        try:
            if options["evidence"]:
                self.write_evidence(learner, address, Path(options["evidence"]))
                return
            entries = timeline_of(learner.pk, address, TimelinePart(until=options["at"]), page_size=PAGE_SIZE)
            newest = next(entries, None)
            if newest is None:
                raise CommandError(escape_unprintable(_no_history(learner, address, options["at"])))
            self.write(learner, address, chain([newest], entries), options)
        except HistoryUnavailable as error:
            hint = _("Run manage.py history_health for the cause.")
            raise CommandError(f"{' '.join(str(error).split())} {hint}") from error

    def write_evidence(self, learner: User, address: BlockAddress, path: Path) -> None:
        """Write a new file; remove it if it cannot be completed."""
        try:
            with path.open("xb") as file:
                try:
                    manifest = write_evidence(learner.pk, address, file)
                    if not manifest["versions"]["rows"]:
                        raise CommandError(escape_unprintable(_no_history(learner, address, None)))
                except BaseException:
                    path.unlink()
                    raise
        except OSError as error:
            raise CommandError(f"{error}") from error
        values = {"count": manifest["versions"]["entries"], "hash": manifest["sha256"]}
        self.write_lines([_("%(count)d versions; SHA-256 of the manifest: %(hash)s") % values])

    def write(self, learner: User, address: BlockAddress, entries: Iterator[Entry], options: dict[str, Any]) -> None:
        as_text = not options["json"]
        if as_text:
            self.write_lines([format_user(*learner), address.usage_key, address.course_id, ""])
        limit = 1 if options["at"] else options["limit"]
        name = UsernameCache()
        for count, version in enumerate(versions(entries, limit=SHOWN_CHANGES if as_text else LIMIT)):
            if limit and count == limit:
                if as_text and not options["at"]:
                    end = _("Versions from %(version)d down are not printed; --limit 0 prints all versions.")
                    self.write_lines([end % {"version": version.entry.version}])
                return
            if as_text:
                self.write_lines(as_lines(version, name, with_state=bool(options["state"] or options["at"])))
            else:
                self.stdout.write(json_line(as_json(version)), ending="")

    def write_lines(self, lines: Iterable[str]) -> None:
        """Write lines; unprintable characters, and those outside the encoding of the output, are escaped."""
        encoding = getattr(self.stdout, "encoding", None) or "utf-8"
        for line in lines:
            self.stdout.write(escape_unprintable(line).encode(encoding, "backslashreplace").decode(encoding))


def _no_history(learner: User, address: BlockAddress, at: datetime | None) -> str:
    values = {"block": address.usage_key, "learner": format_user(*learner)}
    if at is not None:
        return _("%(block)s has no history for %(learner)s until %(at)s.") % {**values, "at": format_moment(at)}
    if is_recorded(address.block_type):
        return _("%(block)s has no history for %(learner)s.") % values
    return _(
        "%(block)s has no history for %(learner)s: blocks of type %(type)r are not recorded. See the setting "
        "HISTORY_BLOCK_TYPES."
    ) % {**values, "type": address.block_type}
