"""Behind PgBouncer with transaction pooling, no write fails or waits long, and no version is missing in the end."""

import time
from contextlib import closing
from unittest import skipUnless

import psycopg2
from django.test import override_settings

from history.database.circuit_breaker import breaker
from tests.faults.case import FaultCase
from tests.faults.writing import EVERY_KIND
from tests.neighbours import pgbouncer
from tests.neighbours.pgbouncer import LOCK_TIMEOUT, PooledStage, Pooler

SLACK = 0.5
"""seconds that a write may take, without its wait for the history"""
TIMEOUT = 2
"""seconds"""


@skipUnless(pgbouncer.PROGRAM, "pgbouncer is missing")
class PooledDatabases(FaultCase):
    """Each server has a pool of its own, with fewer connections than there are writers."""

    stage_class = PooledStage
    stage: PooledStage

    def seconds(self, writer):
        start = time.monotonic()
        writer.write("set")
        return time.monotonic() - start

    def test_transactions_share_a_connection_to_the_server(self):
        pooler = Pooler(self.stage.state, pool_size=1)
        self.addCleanup(pooler.stop)
        with closing(pooler.connect()) as first, closing(pooler.connect()) as second:
            cursors = first.cursor(), second.cursor()
            for cursor in cursors:
                cursor.execute("SELECT pg_backend_pid()")
            self.assertEqual(*(cursor.fetchone() for cursor in cursors))

    def test_connection_options_are_refused_or_ignored(self):
        strict = Pooler(self.stage.state, ignores_options=False)
        self.addCleanup(strict.stop)
        with self.assertRaisesRegex(psycopg2.OperationalError, "unsupported startup parameter: options"):
            strict.ask("SHOW lock_timeout", options="-c lock_timeout=7s")
        ignored = self.stage.state_pooler.ask("SHOW lock_timeout", options="-c lock_timeout=7s")
        self.assertEqual(ignored, [(LOCK_TIMEOUT,)], "not the timeout of the role")

    def test_many_writers_share_few_connections(self):
        writers = self.start_writers(6, seconds=4, kinds=EVERY_KIND)
        self.assertEqual([writer.wait() for writer in writers], [0] * 6)
        sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pooled' GROUP BY usename"
        for cluster in (self.stage.state, self.stage.history):
            self.assertLessEqual(max(cluster.ask(sessions)), (3,))
        self.assert_nothing_lost()

    def test_a_server_that_stops_and_starts_again(self):
        writer = self.writer()
        with override_settings(HISTORY_TIMEOUT=TIMEOUT, HISTORY_RETRY_AFTER=60):
            writer.write("set")
            self.history.stop("immediate")
            took = [self.seconds(writer) for _ in range(21)]
            self.assertEqual((breaker.state, self.pending()), ("open", 21))
            self.assertLess(took[0], TIMEOUT + SLACK)
            self.assertLess(max(took[1:]), SLACK)
            self.assertEqual(self.stage.deliver().wait(), 1)
            self.stage.start_history()
        breaker.reset()
        self.assert_nothing_lost()

    def test_a_server_that_hangs(self):
        writer = self.writer()
        with override_settings(HISTORY_TIMEOUT=TIMEOUT, HISTORY_RETRY_AFTER=60):
            writer.write("set")
            self.history.pause()
            try:
                took = [self.seconds(writer) for _ in range(21)]
            finally:
                self.history.resume()
            self.assertLess(took[0], TIMEOUT + SLACK)
            self.assertLess(max(took[1:]), SLACK)
        breaker.reset()
        self.assert_nothing_lost()

    def test_a_pooler_that_is_restarted_under_load(self):
        writers = self.start_writers(3, seconds=5)
        time.sleep(1)
        self.stage.history_pooler.stop()
        self.wait_until(lambda: self.pending() > 0)
        self.stage.history_pooler.start()
        self.assertEqual([writer.wait() for writer in writers], [0] * 3)
        self.stage.wait_until_quiet()
        self.assert_nothing_lost()

    def test_statements_that_time_out_do_not_use_up_the_pool(self):
        writer = self.writer()
        lock = self.stage.lock_history()
        try:
            with override_settings(HISTORY_TIMEOUT=0.3, HISTORY_RETRY_AFTER=0):
                for _ in range(6):
                    writer.write("set")
        finally:
            lock.close()
        self.assertEqual(self.pending(), 6)
        breaker.reset()
        writer.write("set")
        self.assertEqual((breaker.state, self.pending()), ("closed", 6))
        self.assert_nothing_lost()
