"""Exports entries as JSON Lines, which contain the exact stored state, and as CSV for spreadsheets."""

import csv
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from django.utils import timezone

from history.models import Entry, PendingHistory
from kvstore.staff.users import display_name, names_for

COLUMNS = (
    *("student_module_id", "version", "action", "created", "learner_id", "course", "block", "block_type"),
    *("grade", "max_grade", "actor_id", "reason", "request_id", "source_id", "source_version"),
    *("transaction_id", "previous", "digest", "branch", "pending", "state_size", "state_sha256", "state"),
)
"""the names in JSON, in order"""
CSV_COLUMNS = ("learner", "actor", *COLUMNS)
"""JSON Lines has no names of users: they change, and no digest covers them"""

BYTE_ORDER_MARK = "\ufeff"
"""begins a CSV file: without it, Excel reads UTF-8 as another encoding"""
NAMED_AT_ONCE = 100
"""entries with names from one query"""

# Spreadsheets evaluate a text that begins like this, also after white space or invisible characters, or in full width.
FORMULA = re.compile(
    r"[\t\r\n]|[\s\x00-\x20\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]*[-=+@\uff1d\uff0b\uff0d\uff20\u2212]"
)


def record(entry: Entry) -> dict[str, Any]:
    """Return the values of an entry as plain types for JSON.

    ``state`` is the stored text, not parsed, or None. ``created`` is ISO 8601 in UTC with microseconds. ``pending`` is
    true for a pending entry. The digests are in hexadecimal. ``branch`` is true if the present state does not descend
    from the version.
    """
    return {
        "student_module_id": entry.student_module_id,
        "version": entry.version,
        "action": str(entry.action),
        "created": iso(entry.created),
        "learner_id": entry.student_id,
        "course": str(entry.course_id),
        "block": str(entry.module_state_key),
        "block_type": entry.module_type,
        "grade": entry.grade,
        "max_grade": entry.max_grade,
        "actor_id": entry.actor_id,
        "reason": entry.reason,
        "request_id": entry.request_id,
        "source_id": entry.source_id,
        "source_version": entry.source_version,
        "transaction_id": entry.transaction_id,
        "previous": entry.previous.hex() if entry.previous else None,
        "digest": entry.digest.hex(),
        "branch": entry.is_branch,
        "pending": isinstance(entry, PendingHistory),
        "state_size": size_of(entry.state),
        "state_sha256": sha256_of(entry.state),
        "state": entry.state,
    }


def json_lines(entries: Iterable[Entry]) -> Iterator[str]:
    """Yield one line of JSON for each entry, in ASCII, so that lone surrogates and NUL are preserved.

    ``state_sha256`` is the SHA-256 of ``state``, encoded as UTF-8.
    """
    for entry in entries:
        yield json_line(record(entry))


def json_line(values: Mapping[str, Any]) -> str:
    """Return one line of JSON in ASCII, with a newline. NaN and infinity become strings: "nan", "inf" or "-inf"."""
    try:
        return json.dumps(values, allow_nan=False) + "\n"
    except ValueError:
        finite = {name: str(value) if isinstance(value, float) else value for name, value in values.items()}
        return json.dumps(finite, allow_nan=False) + "\n"


def csv_lines(entries: Iterable[Entry]) -> Iterator[str]:
    r"""Yield a header, then a record for each entry, in the format of RFC 4180 and encodable as UTF-8.

    The header begins with a byte order mark, so that Excel shows every character. The first columns are the names of
    the learner and of the actor, read with one query for NAMED_AT_ONCE entries.

    For spreadsheets, so texts may differ from the stored ones: a text like a formula gets an apostrophe in front, NUL
    and lone surrogates become ``\u`` escapes, and None an empty cell. Hash and size are those of the stored text.
    """
    echo = csv.writer(_Echo(), lineterminator="\r\n")
    yield BYTE_ORDER_MARK + echo.writerow(CSV_COLUMNS)
    for entry, names in with_names(entries):
        users = (None if user is None else display_name(user, names) for user in (entry.student_id, entry.actor_id))
        yield echo.writerow(map(_cell, [*users, *record(entry).values()]))


def with_names(entries: Iterable[Entry], at_once: int = NAMED_AT_ONCE) -> Iterator[tuple[Entry, Mapping[int, str]]]:
    """Yield each entry with the names of users by id, which contain its learner and its actor unless deleted.

    Reads ``at_once`` entries ahead, and their names with one query.
    """
    entries = iter(entries)
    while batch := list(islice(entries, at_once)):
        users = (user for entry in batch for user in (entry.student_id, entry.actor_id))
        names = names_for({user for user in users if user is not None})
        for entry in batch:
            yield entry, names


def sha256_of(text: str | None) -> str:
    """Return the SHA-256 of a text in UTF-8 (lone surrogates included), in hexadecimal. None counts as empty."""
    return hashlib.sha256(_encoded(text)).hexdigest()


def size_of(text: str | None) -> int:
    """Return the number of bytes of a text in UTF-8 (three for a lone surrogate); 0 for None."""
    return len(_encoded(text))


def iso(moment: datetime) -> str:
    """Return a moment as ISO 8601 in UTC with microseconds. A naive one is in the default time zone."""
    aware = moment if timezone.is_aware(moment) else timezone.make_aware(moment, timezone.get_default_timezone())
    return aware.astimezone(UTC).isoformat(timespec="microseconds")


class _Echo:
    """A file for csv.writer: ``writerow`` returns the line."""

    def write(self, text: str) -> str:
        return text


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return value
    text = f"'{value}" if FORMULA.match(value) else value
    return text.replace("\0", "\\u0000").encode("utf-8", "backslashreplace").decode()


def _encoded(text: str | None) -> bytes:
    return b"" if text is None else text.encode("utf-8", "surrogatepass")
