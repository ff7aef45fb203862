"""Commands that end between two steps of their work when they are asked to."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def stopped_by_signals() -> Iterator[threading.Event]:
    """Give an event that SIGTERM and SIGINT set, for as long as the block runs; then they do what they did before.

    Signals are the main thread's: in any other one nothing sets the event.
    """
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return
    # A handler that is not Python's is None, and could not be put back.
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    replaced = {number: handler for number, handler in before.items() if handler is not None}
    try:
        for number in replaced:
            signal.signal(number, lambda *_: stopped.set())
        yield stopped
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)
