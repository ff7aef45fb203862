"""Bounds how long a call may wait for a database server that accepts and never answers.

A server-side timeout cannot: the server is what hangs. Shutting the client's socket down from another thread makes the
blocked call fail at once, with the drivers of PostgreSQL and MySQL alike. SQLite has no server; it can only wait for a
lock, and its busy timeout bounds that.
"""

import math
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper

from history.exceptions import HistoryUnavailable
from kvstore.versioning.transactions import is_lock_timeout

POLL_INTERVAL = 0.05
"""seconds between two looks at what is being waited for"""

# libpq takes a shorter one for two seconds.
SHORTEST_CONNECT_TIMEOUT = 2
SERVERS = {"postgresql", "mysql"}

SQLITE_TIMEOUT = 5.0
"""seconds that Python's sqlite3 waits for a lock where OPTIONS has no ``timeout``"""

LOCKED = "Another transaction locks the history database %(alias)r: %(error)s. Try again when it has ended."


class Watchdog:
    """Cuts the connections of calls that are past their deadline. Its thread runs while anybody waits."""

    def __init__(self) -> None:
        self.reset_after_fork()

    def reset_after_fork(self) -> None:
        """Begin, also in a forked process: the threads stayed with the parent, and so did the calls that wait.

        Their sockets are the parent's too, so to cut one here would cut it there.
        """
        self._lock = threading.Lock()
        self._waiting: dict[object, tuple[float, Callable[[], int | None]]] = {}
        self._anybody = threading.Event()
        self._process = 0

    def watch(self, socket_of: Callable[[], int | None], deadline: float) -> object:
        """Cut the socket at ``deadline`` (on the monotonic clock) unless the returned token is dropped before."""
        token = object()
        with self._lock:
            self._waiting[token] = (deadline, socket_of)
            if self._process != os.getpid():
                # Begun anew here too, as a server that forks by itself need not tell Python.
                self._process = os.getpid()
                self._anybody = threading.Event()
                threading.Thread(target=self._run, name="history-deadline", daemon=True).start()
        self._anybody.set()
        return token

    def drop(self, token: object) -> None:
        """Stop watching."""
        with self._lock:
            self._waiting.pop(token, None)

    def _run(self) -> None:
        anybody = self._anybody
        while anybody.wait():
            with self._lock:
                now = time.monotonic()
                for token, (deadline, socket_of) in list(self._waiting.items()):
                    # While the driver still connects there is no socket to cut: look again.
                    if now >= deadline and shutdown_socket(socket_of()):
                        del self._waiting[token]
                if not self._waiting:
                    anybody.clear()
            time.sleep(POLL_INTERVAL)


# One thread for the process, whatever the number of connections and threads that write.
watchdog = Watchdog()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=watchdog.reset_after_fork)


@contextmanager
def bounded(connection: BaseDatabaseWrapper, seconds: float, *, timeout_factor: int = 1) -> Iterator[None]:
    """Let statements on ``connection`` fail that take longer than ``seconds`` times ``timeout_factor``.

    On SQLite each statement waits ``seconds`` at most for a lock; patience is for work, which that wait is not.
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
    """Raise HistoryUnavailable where the history database waited for a lock as long as it may.

    For statements inside a transaction on ``default``, which would take the error for a conflict of its own and begin
    again, while learners wait for what it has locked.
    """
    try:
        yield
    except OperationalError as error:
        if is_lock_timeout(error):
            raise HistoryUnavailable(LOCKED % {"alias": alias, "error": error}) from error
        raise


@contextmanager
def _bounded_lock_wait(connection: BaseDatabaseWrapper, seconds: float) -> Iterator[None]:
    """Set SQLite's busy timeout on the driver's connection, where Django counts no statement, and put it back."""
    if connection.connection is None:
        before = _connect_waiting(connection, seconds)
    else:
        before = connection.connection.execute("PRAGMA busy_timeout").fetchone()[0]
    driver = connection.connection
    _set_busy_timeout(driver, seconds * 1000)
    try:
        yield
    finally:
        # The block may have closed the connection.
        if connection.connection is driver:
            _set_busy_timeout(driver, before)


def _set_busy_timeout(driver: Any, milliseconds: float) -> None:
    # Fetched, because a statement that is not finished stays open.
    driver.execute(f"PRAGMA busy_timeout = {max(0, int(milliseconds))}").fetchall()


def _connect_waiting(connection: BaseDatabaseWrapper, seconds: float) -> float:
    """Connect to an SQLite file, waiting ``seconds`` at most for a lock; return its own timeout in milliseconds."""
    settings = connection.settings_dict
    options = settings.get("OPTIONS", {})
    connection.settings_dict = settings | {"OPTIONS": {**options, "timeout": max(0, seconds)}}
    try:
        connection.ensure_connection()
    finally:
        connection.settings_dict = settings
    return float(options.get("timeout", SQLITE_TIMEOUT)) * 1000


def shutdown_socket(descriptor: int | None) -> bool:
    """Shut a socket down; False where there is none yet. One that is down already needs no cutting."""
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
    """Return what gives the connection's socket, callable from another thread."""
    if connection.vendor == "mysql":
        # mysqlclient answers only in the thread that uses the connection.
        descriptor: int = connection.connection.fileno()
        return lambda: descriptor
    return lambda: connection.connection.fileno() if connection.connection is not None else None


def _limit_connecting(connection: BaseDatabaseWrapper, seconds: float) -> None:
    options = connection.settings_dict.get("OPTIONS", {})
    limit = max(SHORTEST_CONNECT_TIMEOUT, math.ceil(seconds))
    given = options.get("connect_timeout")
    # This connection's own copy: the settings stay as they are.
    connection.settings_dict = connection.settings_dict | {
        "OPTIONS": {**options, "connect_timeout": min(limit, int(given)) if given else limit}
    }
