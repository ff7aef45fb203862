"""Django's own connection pool, which needs psycopg 3."""

import time
from importlib.util import find_spec
from unittest import skipUnless

from django.db import connection, connections
from django.test import override_settings

from history.database.circuit_breaker import breaker
from tests.faults.case import FaultCase
from tests.faults.servers.stage import HISTORY

SLACK = 0.5
"""seconds that a write may take, without its wait for the history"""
TIMEOUT = 2
"""seconds"""
POOL = {"min_size": 1, "max_size": 4, "timeout": 20}


# Django uses psycopg 3 if it is installed. A question to the connection would open a pool while the tests are loaded.
@skipUnless(connection.vendor == "postgresql" and find_spec("psycopg"), "psycopg 3 is missing")
class PooledConnections(FaultCase):
    """Both aliases of this process have a pool in their settings. The history must not wait for the pool's timeout."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for alias in ("default", HISTORY):
            connections.settings[alias]["OPTIONS"] = {"pool": POOL}
            connections[alias] = connections.create_connection(alias)
            cls.addClassCleanup(lambda alias=alias: connections.create_connection(alias).close_pool())
        cls.addClassCleanup(cls.stage.disconnect)

    def seconds(self, writer):
        self.stage.disconnect()
        start = time.monotonic()
        writer.write("set")
        return time.monotonic() - start

    def assert_one_timeout(self, writer):
        with override_settings(HISTORY_TIMEOUT=TIMEOUT, HISTORY_RETRY_AFTER=60):
            took = [self.seconds(writer) for _ in range(11)]
            breaker.reset()
            took.append(self.seconds(writer))
        self.assertLess(max(took[0], took[-1]), TIMEOUT + SLACK)
        self.assertLess(max(took[1:-1]), SLACK)
        self.assertEqual(self.pending(), 12)

    def test_the_state_uses_its_pool_and_the_history_none(self):
        before = connections["default"].pool.get_stats()["requests_num"]
        self.stage.disconnect()
        self.writer().write("set")
        self.assertGreater(connections["default"].pool.get_stats()["requests_num"], before)
        self.assertIsNone(connections[HISTORY].pool)
        self.assert_nothing_lost()

    def test_a_server_that_stopped(self):
        writer = self.writer()
        writer.write("set")
        self.history.stop()
        try:
            self.assert_one_timeout(writer)
        finally:
            self.history.start()
        self.assert_nothing_lost()

    def test_a_server_that_hangs(self):
        writer = self.writer()
        writer.write("set")
        self.history.pause()
        try:
            self.assert_one_timeout(writer)
        finally:
            self.history.resume()
        self.assert_nothing_lost()
