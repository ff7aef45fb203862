"""Limits the time of a call to a database server that accepts connections and does not answer.

A timeout in the server does not help if the server hangs. A thread shuts down the client's socket, so that the blocked
call fails at once; this works with the drivers of PostgreSQL and MySQL. SQLite waits only for locks, and its busy
timeout limits that.
"""

import math
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.db import DEFAULT_DB_ALIAS, OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper

from history.exceptions import HistoryUnavailable
from kvstore.versioning.transactions import is_lock_timeout

POLL_INTERVAL = 0.05
"""seconds between two checks of the deadlines"""

SHORTEST_CONNECT_TIMEOUT = 2
"""seconds; libpq treats 1 as 2"""

SERVERS = {"postgresql", "mysql"}

SQLITE_TIMEOUT = 5.0
"""seconds that Python's sqlite3 waits for a lock if OPTIONS has no ``timeout``"""


class Watchdog:
    """Closes the socket of every database call that exceeds its deadline, from a thread of its own."""

    def __init__(self) -> None:
        self.reset_after_fork()

    def reset_after_fork(self) -> None:
        """Start without calls. After a fork, the calls and the thread belong to the parent process.

        A shutdown of the parent's sockets in the child would also close them in the parent.
        """
        self._lock = threading.Lock()
        self._calls: dict[object, tuple[float, Callable[[], int | None]]] = {}
        self._has_calls = threading.Event()
        self._process = 0

    def watch(self, socket_of: Callable[[], int | None], deadline: float) -> object:
        """Close the socket at ``deadline`` (monotonic seconds) unless the returned token is dropped before."""
        token = object()
        with self._lock:
            self._calls[token] = (deadline, socket_of)
            if self._process != os.getpid():
                # Checked here too: a server that forks in C code does not call Python's fork handlers.
                self._process = os.getpid()
                self._has_calls = threading.Event()
                threading.Thread(target=self._run, name="history-deadline", daemon=True).start()
        self._has_calls.set()
        return token

    def drop(self, token: object) -> None:
        with self._lock:
            self._calls.pop(token, None)

    def _run(self) -> None:
        has_calls = self._has_calls
        while has_calls.wait():
            with self._lock:
                now = time.monotonic()
                for token, (deadline, socket_of) in list(self._calls.items()):
                    # While the driver connects, there is no socket yet: try again later.
                    if now >= deadline and shutdown_socket(socket_of()):
                        del self._calls[token]
                if not self._calls:
                    has_calls.clear()
            time.sleep(POLL_INTERVAL)


# One thread for all connections of the process.
watchdog = Watchdog()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=watchdog.reset_after_fork)


@contextmanager
def bounded(connection: BaseDatabaseWrapper, seconds: float, *, timeout_factor: int = 1) -> Iterator[None]:
    """Limit the statements inside to ``seconds * timeout_factor``; a later one fails with the driver's error.

    On SQLite each statement waits at most ``seconds`` for a lock; the factor is for work only.
    """
    if connection.vendor == "sqlite":
        with _bounded_lock_wait(connection, seconds):
            yield
        return
    if connection.vendor not in SERVERS:
        yield
        return
    deadline = time.monotonic() + seconds * timeout_factor
    if connection.connection is None:
        _limit_connecting(connection, seconds * timeout_factor)
        if connection.vendor == "mysql":
            connection.ensure_connection()
    token = watchdog.watch(_socket_of(connection), deadline)
    try:
        yield
    finally:
        watchdog.drop(token)


@contextmanager
def unavailable_while_locked(alias: str) -> Iterator[None]:
    """Raise HistoryUnavailable instead of the history database's error for a lock timeout.

    For statements inside a transaction on ``default``: it would treat the error as a conflict of its own and retry,
    and writes of learners would wait for its locks.
    """
    try:
        yield
    except OperationalError as error:
        if is_lock_timeout(error):
            message = f"Another transaction locks the history database {alias!r}: {error}. Try again later."
            raise HistoryUnavailable(message) from error
        raise


@contextmanager
def _bounded_lock_wait(connection: BaseDatabaseWrapper, seconds: float) -> Iterator[None]:
    """Set SQLite's busy timeout, and reset it afterwards; on the driver's connection, so that no query is counted."""
    if connection.connection is None:
        before = _connect_within(connection, seconds)
    else:
        before = connection.connection.execute("PRAGMA busy_timeout").fetchone()[0]
    driver = connection.connection
    _set_busy_timeout(driver, seconds * 1000)
    try:
        yield
    finally:
        # The statements inside may have closed the connection.
        if connection.connection is driver:
            _set_busy_timeout(driver, before)


def _set_busy_timeout(driver: Any, milliseconds: float) -> None:
    # Fetched, because the statement stays open until its result is read.
    driver.execute(f"PRAGMA busy_timeout = {max(0, int(milliseconds))}").fetchall()


def _connect_within(connection: BaseDatabaseWrapper, seconds: float) -> float:
    """Open an SQLite file, waiting at most ``seconds`` for a lock; return its configured timeout in milliseconds."""
    settings = connection.settings_dict
    options = settings.get("OPTIONS", {})
    connection.settings_dict = settings | {"OPTIONS": {**options, "timeout": max(0, seconds)}}
    try:
        connection.ensure_connection()
    finally:
        connection.settings_dict = settings
    return float(options.get("timeout", SQLITE_TIMEOUT)) * 1000


def shutdown_socket(descriptor: int | None) -> bool:
    """Shut down a socket, if it is still open. Return False if there is no socket yet."""
    if descriptor is None:
        return False
    with suppress(OSError):
        duplicate = socket.socket(fileno=os.dup(descriptor))
        try:
            duplicate.shutdown(socket.SHUT_RDWR)
        finally:
            duplicate.close()
    return True


def _socket_of(connection: BaseDatabaseWrapper) -> Callable[[], int | None]:
    """Return a function that returns the connection's socket and can be called from another thread."""
    if connection.vendor == "mysql":
        # mysqlclient allows calls only from the thread that uses the connection.
        descriptor: int = connection.connection.fileno()
        return lambda: descriptor
    return lambda: connection.connection.fileno() if connection.connection is not None else None


def _limit_connecting(connection: BaseDatabaseWrapper, seconds: float) -> None:
    options = dict(connection.settings_dict.get("OPTIONS", {}))
    if connection.alias != DEFAULT_DB_ALIAS:
        # A thread that waits for a pool has no socket that the watchdog can close.
        options.pop("pool", None)
    limit = max(SHORTEST_CONNECT_TIMEOUT, math.ceil(seconds))
    given = options.get("connect_timeout")
    # A copy for this connection: the project's settings stay unchanged.
    connection.settings_dict = connection.settings_dict | {
        "OPTIONS": {**options, "connect_timeout": min(limit, int(given)) if given else limit}
    }
