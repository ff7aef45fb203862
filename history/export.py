"""Entries as evidence: JSON Lines, in which the state is byte for byte what is stored, and CSV for spreadsheets."""

import csv
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone

from history.models import Entry, PendingHistory

NUMBER_COLUMNS = {
    *("student_module_id", "version", "learner_id", "grade", "max_grade", "actor_id"),
    *("source_id", "source_version", "transaction_id", "state_size"),
}
COLUMNS = (
    *("student_module_id", "version", "action", "created", "learner_id", "course", "block", "block_type"),
    *("grade", "max_grade", "actor_id", "reason", "request_id", "source_id", "source_version"),
    *("transaction_id", "previous", "digest", "branch", "waiting", "state_size", "state_sha256", "state"),
)
"""the columns of CSV in order, and the names in JSON"""

# A spreadsheet takes what begins so for a formula, after white space and what it does not show, and in full width.
FORMULA = re.compile(
    r"[\t\r\n]|[\s\x00-\x20\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]*[-=+@\uff1d\uff0b\uff0d\uff20\u2212]"
)


def record(entry: Entry) -> dict[str, Any]:
    """Return all that an entry says, as plain values for JSON.

    ``state`` is the stored text, not what it parses to, and None where there is none. ``created`` is ISO 8601 in UTC
    with microseconds; ``waiting`` is true while the history database does not have the entry yet. The digests are in
    hexadecimal; ``branch`` is true where the present state does not descend from the version.
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
        "waiting": isinstance(entry, PendingHistory),
        "state_size": size_of(entry.state),
        "state_sha256": sha256_of(entry.state),
        "state": entry.state,
    }


def json_lines(entries: Iterable[Entry]) -> Iterator[str]:
    """Yield one line of JSON for each entry, in ASCII, so that lone surrogates and NUL arrive as they are stored.

    The form for evidence: the SHA-256 of each ``state``, encoded as UTF-8, is its ``state_sha256``.
    """
    for entry in entries:
        yield json_line(record(entry))


def json_line(values: Mapping[str, Any]) -> str:
    """Return plain values as one line of JSON in ASCII, with the line's end.

    A float that JSON has no number for becomes a string: "nan", "inf" or "-inf".
    """
    try:
        return json.dumps(values, allow_nan=False) + "\n"
    except ValueError:
        finite = {name: str(value) if isinstance(value, float) else value for name, value in values.items()}
        return json.dumps(finite, allow_nan=False) + "\n"


def csv_lines(entries: Iterable[Entry]) -> Iterator[str]:
    r"""Yield a header, then a record for each entry, as RFC 4180 has it; every one can be encoded as UTF-8.

    For spreadsheets, so not byte for byte what is stored: a text that would be taken for a formula gets an apostrophe
    before it, NUL and lone surrogates become ``\u`` escapes, and absent values empty cells. The columns of the hash
    and size are those of the stored text.
    """
    echo = csv.writer(_Echo(), lineterminator="\r\n")
    yield echo.writerow(COLUMNS)
    for entry in entries:
        values = record(entry)
        yield echo.writerow([_cell(name, values[name]) for name in COLUMNS])


def sha256_of(text: str | None) -> str:
    """Return the SHA-256 of a text in UTF-8, in hexadecimal; of nothing for None. Lone surrogates have their bytes."""
    return hashlib.sha256(_encoded(text)).hexdigest()


def size_of(text: str | None) -> int:
    """Return the bytes of a text in UTF-8; 0 for None. Lone surrogates count three."""
    return len(_encoded(text))


def iso(moment: datetime) -> str:
    """Return a moment as ISO 8601 in UTC with microseconds; one without a time zone is in that of the settings."""
    aware = moment if timezone.is_aware(moment) else timezone.make_aware(moment, timezone.get_default_timezone())
    return aware.astimezone(UTC).isoformat(timespec="microseconds")


class _Echo:
    """A file for csv.writer that hands back what is written, which ``writerow`` then returns."""

    def write(self, text: str) -> str:
        return text


def _cell(name: str, value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if name in NUMBER_COLUMNS:
        return value
    text = str(value)
    text = f"'{text}" if FORMULA.match(text) else text
    return text.replace("\0", "\\u0000").encode("utf-8", "backslashreplace").decode()


def _encoded(text: str | None) -> bytes:
    return b"" if text is None else text.encode("utf-8", "surrogatepass")
