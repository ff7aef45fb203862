"""How far a long command has come, for whoever watches it: a line a second at most, on the error stream."""

import time
from typing import Any

INTERVAL = 1.0
"""seconds"""


class Progress:
    """Writes what it is told, unless it wrote a moment ago or the command was asked to be quiet."""

    def __init__(self, stream: Any, *, verbosity: int) -> None:
        self._stream = stream
        self._quiet = verbosity < 1
        self._next = time.monotonic() + INTERVAL

    def __call__(self, text: str) -> None:
        if not self._quiet and time.monotonic() >= self._next:
            self._stream.write(text)
            self._next = time.monotonic() + INTERVAL
