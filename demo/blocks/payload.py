"""Validation of a browser's input."""

from collections.abc import Collection
from typing import Any

from xblock.exceptions import JsonHandlerError


def chosen(payload: Any, options: Collection[str]) -> str:
    """Return the ``choice`` of a JSON payload if it is one of the options; answer 400 to anything else."""
    choice = payload.get("choice") if isinstance(payload, dict) else None
    if not isinstance(choice, str) or choice not in options:
        raise JsonHandlerError(400, "Choose one of the options.")
    return choice
