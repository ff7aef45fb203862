"""Writes seals to files, and runs verification as a caller of the commands."""

import io
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from django.core.management import CommandError, call_command


class Report(NamedTuple):
    """The result of verify_history."""

    code: int
    problems: list[tuple[str, int, list[int]]]
    """kind, row id and versions of each"""
    sums: dict[str, Any]
    error: str


@contextmanager
def batches_of(size: int) -> Iterator[None]:
    """Read so many row ids at once, in a seal and in both verifications."""
    with ExitStack() as stack:
        for module in ("seals", "seal_check", "verify"):
            stack.enter_context(mock.patch(f"history.verification.{module}.BATCH_SIZE", size))
        yield


def seal_into(path: Path, **options: Any) -> dict[str, Any]:
    """Write a seal of the history into a file, and return its last line."""
    with path.open("w", encoding="ascii") as file:
        call_command("seal_history", stdout=file, **options)
    values: dict[str, Any] = json.loads(path.read_text().splitlines()[-1])
    return values


def verify_history(**options: Any) -> Report:
    """Run the command, and return its problems and its exit code."""
    output, code, error = io.StringIO(), 0, ""
    try:
        call_command("verify_history", stdout=output, json=True, **options)
    except CommandError as raised:
        code, error = raised.returncode, str(raised)
    except SystemExit as ended:
        code = int(ended.code or 0)
    *problems, sums = map(json.loads, output.getvalue().splitlines() or ["{}"])
    found = [(one["problem"], one["student_module_id"], one["versions"]) for one in problems]
    return Report(code, found, sums, error)
