"""Records which migrations ran on which database."""

from collections.abc import Callable
from typing import Any

RAN: list[tuple[str, str]] = []
"""the operations that ran, and their aliases"""


def noting(what: str) -> Callable[..., None]:
    """Return code for RunPython that notes that it ran."""

    def note(apps: Any, schema_editor: Any) -> None:
        RAN.append((what, schema_editor.connection.alias))

    return note
