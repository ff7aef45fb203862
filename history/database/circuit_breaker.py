"""Circuit breaker: after a failure, one write per HISTORY_RETRY_AFTER seconds tries the history database again."""

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
    """The circuit breaker of one process. Thread-safe. ``clock`` returns monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._state = CLOSED
        self._retry_at = 0.0

    @property
    def state(self) -> str:
        """``closed``: calls are allowed; ``open``: calls are skipped; ``probing``: one call tries again."""
        return self._state

    def allows(self) -> bool:
        """Return whether a call is allowed.

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
        if self._state == CLOSED:
            return
        with self._lock:
            self._state = CLOSED
        logger.warning("The history database works again.", extra={"event": "breaker_closed"})

    def record_failure(self, error: BaseException) -> None:
        """Record that the database failed. No call is allowed for HISTORY_RETRY_AFTER seconds."""
        with self._lock:
            opened = self._state == CLOSED
            self._state = OPEN
            self._retry_at = self._clock() + conf.HISTORY_RETRY_AFTER
        if opened:
            logger.error(
                "The history database failed. Entries are stored as pending for at least %s s. Error: %s",
                conf.HISTORY_RETRY_AFTER,
                error,
                extra={"event": "breaker_opened"},
            )

    def cancel(self) -> None:
        """Record that the call was interrupted without a result. The next call is the probe."""
        with self._lock:
            if self._state == PROBING:
                self._state = OPEN

    def reset_after_fork(self) -> None:
        """Release the lock and the probe in a forked process: the threads that held them exist in the parent only."""
        self._lock = threading.Lock()
        self.cancel()

    def reset(self) -> None:
        with self._lock:
            self._state = CLOSED


# One for all requests of the process, so that the next request does not wait for the same failure.
breaker = Breaker()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=breaker.reset_after_fork)
