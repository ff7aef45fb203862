"""Seals in files, and both verifications of the history as a caller of the commands gets them."""

import io
import json
from pathlib import Path
from typing import Any, NamedTuple

from django.core.management import CommandError, call_command


class Report(NamedTuple):
    """The result of verify_history."""

    code: int
    problems: list[tuple[str, int, list[int]]]
    """kind, row id and versions of each"""
    sums: dict[str, Any]
    error: str


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
