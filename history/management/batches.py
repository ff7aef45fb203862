"""Base class of the commands that read rows in batches, with their progress lines and their signals."""

import signal
import threading
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from django.core.management.base import BaseCommand

from history.management.arguments import not_negative, seconds

PROGRESS_INTERVAL = 1.0
"""seconds"""


class RowProgress(Protocol):
    """The progress of a run in the order of the row ids."""

    rows: int
    last_id: int


class ProgressLine:
    """Writes a text to a stream, at most once a second, unless the verbosity is 0."""

    def __init__(self, stream: Any, *, verbosity: int) -> None:
        self._stream = stream
        self._is_quiet = verbosity < 1
        self._next = time.monotonic() + PROGRESS_INTERVAL

    def __call__(self, text: str) -> None:
        if not self._is_quiet and time.monotonic() >= self._next:
            self._stream.write(text)
            self._next = time.monotonic() + PROGRESS_INTERVAL


class BatchCommand(BaseCommand):
    """A command with the options --after and --sleep."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--after", type=not_negative, default=0, metavar="ROW_ID", help="continue after this row")
        parser.add_argument("--sleep", type=seconds, default=0, help="seconds to sleep after each batch")

    def after_batch(self, progress: RowProgress, options: dict[str, Any]) -> Callable[[], None]:
        """Return the function to call after each batch: it prints the progress and sleeps."""
        write = ProgressLine(self.stderr, verbosity=options["verbosity"])

        def write_and_sleep() -> None:
            write(f"{progress.rows} rows compared; to continue from here: --after {progress.last_id}")
            time.sleep(options["sleep"])

        return write_and_sleep


@contextmanager
def stopped_by_signals() -> Iterator[threading.Event]:
    """Yield an event that SIGTERM and SIGINT set, and restore the handlers of these signals at the end.

    Outside the main thread, no signal sets the event.
    """
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return
    # None stands for a handler that Python did not install and cannot restore.
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    replaced = {number: handler for number, handler in before.items() if handler is not None}
    try:
        for number in replaced:
            signal.signal(number, lambda *_: stopped.set())
        yield stopped
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)
