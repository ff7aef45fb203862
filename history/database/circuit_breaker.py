"""Leaves a history database that just failed alone, so that only one write in a while waits for it."""

import logging
import os
import threading
import time
from collections.abc import Callable

from history.conf import conf

logger = logging.getLogger("history")

CLOSED = "closed"
OPEN = "open"
PROBING = "probing"


class Breaker:
    """Tells whether to try the history database: always, while it works; one probe at a time, after it failed.

    One for each process. Safe for threads. ``clock`` returns seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._state = CLOSED
        self._retry_at = 0.0

    @property
    def state(self) -> str:
        """``closed`` while entries are written directly, ``open`` while they wait, ``probing`` while one tries."""
        return self._state

    def allows(self) -> bool:
        """Return whether to try now.

        After True, the caller must call :meth:`record_success`, :meth:`record_failure` or :meth:`cancel`.
        """
        if self._state == CLOSED:
            return True
        with self._lock:
            if self._state == OPEN and self._clock() >= self._retry_at:
                self._state = PROBING
                return True
            return self._state == CLOSED

    def record_success(self) -> None:
        """Say that the database took entries."""
        if self._state == CLOSED:
            return
        with self._lock:
            self._state = CLOSED
        logger.warning("The history database takes entries again.", extra={"event": "breaker_closed"})

    def record_failure(self, error: BaseException) -> None:
        """Say that the database failed: leave it alone for HISTORY_RETRY_AFTER seconds."""
        with self._lock:
            opened = self._state == CLOSED
            self._state = OPEN
            self._retry_at = self._clock() + conf.HISTORY_RETRY_AFTER
        if opened:
            logger.error(
                "The history database failed; entries wait beside the state for %s s at least: %s",
                conf.HISTORY_RETRY_AFTER,
                error,
                extra={"event": "breaker_opened"},
            )

    def cancel(self) -> None:
        """Say that there is no answer: the try was interrupted, which tells nothing about the database.

        A probe is given back, and the next write makes it.
        """
        with self._lock:
            if self._state == PROBING:
                self._state = OPEN

    def reset_after_fork(self) -> None:
        """Begin in a forked process, where no other thread of the parent's is left to unlock or to end its probe."""
        self._lock = threading.Lock()
        self.cancel()

    def reset(self) -> None:
        """Forget every failure."""
        with self._lock:
            self._state = CLOSED


# Whether a server works is known to a process, not to a request: the next one must not wait for it again.
breaker = Breaker()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=breaker.reset_after_fork)
