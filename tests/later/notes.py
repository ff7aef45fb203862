"""What ran during migrations, and where."""

from collections.abc import Callable
from typing import Any

RAN: list[tuple[str, str]] = []
"""What ran, and on which alias"""


def noting(what: str) -> Callable[..., None]:
    """Return code for RunPython that notes that it ran."""

    def note(apps: Any, schema_editor: Any) -> None:
        RAN.append((what, schema_editor.connection.alias))

    return note
