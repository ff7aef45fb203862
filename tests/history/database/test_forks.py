"""A forked process has its own circuit breaker and watchdog, independent of its parent's threads."""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from unittest import skipUnless

from django.db import DatabaseError
from django.test import SimpleTestCase, override_settings

from history.database.circuit_breaker import OPEN, PROBING, breaker
from history.database.deadline import watchdog
from tests.history.outages import fresh_breaker

PATIENCE = 10
"""seconds after which a child that hangs is ended"""


@skipUnless(hasattr(os, "fork"), "there is no fork here")
class Forks(SimpleTestCase):
    def in_child(self, body: Callable[[], bool]) -> None:
        """Run ``body`` in a forked process, and fail unless it returns True there."""
        child = os.fork()
        if not child:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(PATIENCE)
            right = False
            with suppress(BaseException):  # nothing may go on in the child as if it were the test run
                right = body()
            os._exit(0 if right else 1)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)

    def test_a_breaker_with_its_lock_held(self):
        def fail() -> bool:
            breaker.record_failure(DatabaseError("down"))
            return breaker.state == OPEN

        with fresh_breaker():
            with breaker._lock:
                self.in_child(fail)
            self.assertTrue(breaker.allows())

    @override_settings(HISTORY_RETRY_AFTER=0)
    def test_a_breaker_with_a_probe_of_another_thread(self):
        with fresh_breaker():
            breaker.record_failure(DatabaseError("down"))
            self.assertEqual((breaker.allows(), breaker.allows()), (True, False))
            self.in_child(breaker.allows)
            self.assertEqual(breaker.state, PROBING)

    def test_a_watchdog_with_its_lock_held(self):
        with watchdog._lock:
            self.in_child(cuts_in_time)

    def test_a_call_of_the_parent_s_is_not_cut_by_the_child(self):
        ours, theirs = socket.socketpair()
        self.enterContext(ours)
        self.enterContext(theirs)
        asked, parent = threading.Event(), os.getpid()

        def socket_of() -> int | None:
            # In the parent there is none yet, as while it connects; a child that looked would find one.
            asked.set()
            return ours.fileno() if os.getpid() != parent else None

        self.addCleanup(watchdog.drop, watchdog.watch(socket_of, time.monotonic()))
        self.assertTrue(asked.wait(PATIENCE))
        self.in_child(cuts_in_time)
        ours.sendall(b"x")
        self.assertEqual(theirs.recv(1), b"x")


def cuts_in_time() -> bool:
    """Return, when a watched socket was cut, that it was."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        watchdog.watch(ours.fileno, time.monotonic())
        return theirs.recv(1) == b""
