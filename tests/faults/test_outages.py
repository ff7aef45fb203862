"""Through every fault of the history's server, no write fails or waits long, and no version is missing in the end."""

import time

from django.test import override_settings

from history.api import HistoryUnavailable, timeline
from history.conf import conf
from history.database.circuit_breaker import breaker
from history.database.connection import READ_TIMEOUT_FACTOR
from tests.faults.case import BLOCKS, FaultCase
from tests.kvstore.cache.blocks import usage

COMMITTED = ("set", "cache", "score", "pair", "grouped", "partly")
SLACK = 0.5
"""seconds that a write may take, without its wait for the history"""


class Outages(FaultCase):
    def write_all_kinds(self, writer):
        for kind in COMMITTED:
            writer.write(kind)

    def test_a_server_that_stopped_before_a_write(self):
        for mode in ("fast", "immediate"):
            with self.subTest(mode=mode):
                writer = self.writer(1 if mode == "fast" else 2)
                self.write_all_kinds(writer)
                self.history.stop(mode)
                try:
                    self.write_all_kinds(writer)
                    self.assertEqual(breaker.state, "open")
                    self.assertGreaterEqual(self.pending(), len(COMMITTED))
                finally:
                    self.history.start()
                breaker.reset()
                self.write_all_kinds(writer)
                self.assertEqual(breaker.state, "closed")
                self.assert_nothing_lost()

    def test_a_server_that_was_never_there(self):
        self.history.stop()
        try:
            self.write_all_kinds(self.writer())
            self.assertEqual(self.stage.deliver().wait(), 1)
        finally:
            self.history.start()
        self.assert_nothing_lost()

    def test_a_server_that_stops_between_the_state_and_its_entry(self):
        for number, mode in enumerate(("fast", "immediate"), 1):
            with self.subTest(mode=mode):
                writer = self.writer(number)
                writer.write("set")
                with self.between_state_and_entry(lambda mode=mode: self.history.stop(mode)):
                    writer.write("set")
                self.assertEqual(self.pending(), 1)
                self.history.start()
                writer.write("set")
                breaker.reset()
                self.assert_nothing_lost()

    def test_a_server_that_crashes_while_it_takes_the_entry(self):
        child = self.start_writers(1, kinds={"set": 1}, settings={"HISTORY_TIMEOUT": 20})[0]
        lock = self.stage.lock_history()
        try:
            self.history.wait_for("SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
            self.history.restart("immediate")
        finally:
            lock.close()
        self.wait_until(lambda: self.pending() > 0)
        child.kill()
        self.stage.wait_until_quiet()
        self.assert_nothing_lost()

    def test_a_server_that_restarts_under_load(self):
        writers = self.start_writers(3, seconds=6)
        for mode in ("fast", "immediate", "fast"):
            time.sleep(0.7)
            self.history.restart(mode)
        self.assertEqual([writer.wait() for writer in writers], [0, 0, 0])
        self.stage.wait_until_quiet()
        # The last version of a row that was rolled back is a phantom until the next write.
        self.assert_nothing_lost()

    def test_a_server_that_hangs_costs_one_write_one_timeout(self):
        for seconds in (1, 2):
            with self.subTest(seconds=seconds), override_settings(HISTORY_TIMEOUT=seconds, HISTORY_RETRY_AFTER=60):
                writer = self.writer(seconds)
                writer.write("set")
                self.history.pause()
                try:
                    took = [self.seconds(writer) for _ in range(101)]
                finally:
                    self.history.resume()
                self.assertGreater(took[0], seconds - SLACK)
                self.assertLess(took[0], seconds + SLACK)
                self.assertLess(max(took[1:]), SLACK)
                breaker.reset()
                self.assert_nothing_lost()

    def test_a_server_that_hangs_when_it_is_connected_to_costs_one_timeout(self):
        writer = self.writer()
        with override_settings(HISTORY_TIMEOUT=2, HISTORY_RETRY_AFTER=60):
            self.stage.disconnect()
            self.history.pause()
            try:
                took = [self.seconds(writer) for _ in range(11)]
            finally:
                self.history.resume()
        self.assertLess(took[0], 2 + SLACK)
        self.assertLess(max(took[1:]), SLACK)
        self.assert_nothing_lost()

    def seconds(self, writer):
        start = time.monotonic()
        writer.write("set")
        return time.monotonic() - start

    def test_after_a_while_one_write_tries_again(self):
        writer = self.writer()
        self.history.stop()
        writer.write("set")
        self.history.start()
        self.assertEqual(breaker.state, "open")
        time.sleep(conf.HISTORY_RETRY_AFTER + 0.1)
        before = self.pending()
        writer.write("set")
        self.assertEqual((breaker.state, self.pending()), ("closed", before))
        self.assert_nothing_lost()

    def test_a_read_only_server(self):
        writer = self.writer()
        writer.write("set")
        self.history.set_read_only(read_only=True)
        try:
            self.write_all_kinds(writer)
            self.assertEqual(breaker.state, "open")
            self.assertEqual(self.stage.deliver().wait(), 1)
        finally:
            self.history.set_read_only(read_only=False)
        breaker.reset()
        writer.write("set")
        self.assert_nothing_lost()

    def test_a_table_that_is_missing(self):
        writer = self.writer()
        self.history.ask("ALTER TABLE xblock_history_studentmodulehistory RENAME TO gone")
        try:
            self.write_all_kinds(writer)
            self.assertEqual(breaker.state, "open")
            self.assertEqual(self.stage.deliver().wait(), 1)
        finally:
            self.history.ask("ALTER TABLE gone RENAME TO xblock_history_studentmodulehistory")
        self.assert_nothing_lost()

    def test_a_write_gets_over_a_connection_that_died(self):
        writer = self.writer()
        writer.write("set")
        for happens in (self.history.restart, lambda: self.history.restart("immediate"), self.end_sessions):
            happens()
            writer.write("set")
            self.assertEqual((breaker.state, self.pending()), ("closed", 0))
        self.assert_nothing_lost()

    def test_a_reader_gets_over_a_connection_that_died(self):
        self.writer().write("set")
        for happens in (self.history.restart, lambda: self.history.restart("immediate"), self.end_sessions):
            self.assert_journals_agree()
            happens()
        self.assert_nothing_lost()

    def end_sessions(self):
        self.history.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")

    def test_a_reader_does_not_wait_for_a_server_that_hangs(self):
        writer = self.writer()
        writer.write("set")
        self.assert_journals_agree()
        self.history.pause()
        try:
            reader = self.stage.nursery.start(
                "tests.faults.writing:read", learner=self.learners[0], block=BLOCKS[0], settings={"HISTORY_TIMEOUT": 1}
            )
            self.assertEqual(reader.wait(5), 7, reader.output)
        finally:
            self.history.resume()
        self.assert_nothing_lost()

    def test_a_reader_with_an_open_connection_waits_for_one_timeout(self):
        self.writer().write("set")
        self.assert_journals_agree()
        self.history.pause()
        try:
            start = time.monotonic()
            with override_settings(HISTORY_TIMEOUT=1), self.assertRaises(HistoryUnavailable):
                list(timeline(self.learners[0], usage(BLOCKS[0])))
            self.assertLess(time.monotonic() - start, READ_TIMEOUT_FACTOR + SLACK)
        finally:
            self.history.resume()
        self.assert_nothing_lost()

    def test_an_outage_while_many_write(self):
        writers = self.start_writers(4, seconds=6)
        time.sleep(1)
        self.history.stop("immediate")
        time.sleep(2)
        self.history.start()
        self.assertEqual([writer.wait() for writer in writers], [0] * 4)
        self.assertGreater(self.pending(), 0)
        self.stage.wait_until_quiet()
        self.assert_nothing_lost()
