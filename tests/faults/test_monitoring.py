"""The pages for monitoring programs show each phase of an outage, and answer in time while the server hangs."""

from django.test import override_settings

from history.api import change_context
from tests.faults.case import FaultCase
from tests.faults.drill import REFUSED, Drill, refusing
from tests.history.monitoring.pages import TOKEN

SLACK = 0.5
"""seconds that a page may take, without its wait for the history"""


class Monitoring(FaultCase):
    def setUp(self):
        super().setUp()
        self.enterContext(override_settings(HISTORY_MONITORING_TOKEN=TOKEN))
        self.here = self.writer()
        self.drill = Drill(lambda: self.here.write("set"))

    def values(self, observations, *names):
        return [tuple(seen.metrics[name] for name in names) for seen in observations]

    def assert_all_delivered(self, observation):
        expected = {"pending_entries": 0, "refused_entries": 0, "oldest_pending_age_seconds": 0}
        expected |= {"breaker": "closed", "state_reachable": 1, "reachable": 1, "migrated": 1, "healthy": 1}
        self.assertEqual(observation.metrics, expected)

    def test_an_outage_from_its_start_to_the_delivery(self):
        writers = self.start_writers(2, seconds=4)
        self.assert_all_delivered(self.drill.watch("all works", 0.5, interval=0.5)[-1])
        self.history.stop()
        stopped = self.drill.watch("server stopped", 1.5, interval=0.5)
        states = self.values(stopped, "breaker", "state_reachable", "reachable", "migrated", "healthy")
        self.assertEqual(states, [("open", 1, 0, 0, 0)] * len(stopped))
        for name in ("pending_entries", "oldest_pending_age_seconds"):
            growing = self.values(stopped, name)
            self.assertGreater(growing[0], (0,))
            self.assertEqual(growing, sorted(set(growing)))
        self.history.start()
        self.assertEqual([writer.wait() for writer in writers], [0, 0])
        runs = self.drill.watch("server runs again", 1.5, interval=1.5)[-1]
        self.assertEqual(self.values([runs], "breaker", "reachable", "migrated", "healthy"), [("closed", 1, 1, 1)])
        self.assertGreaterEqual(self.values([runs], "pending_entries"), self.values(stopped, "pending_entries")[-1:])
        self.assertEqual(self.stage.deliver().wait(), 0)
        self.assert_all_delivered(self.drill.scrape("delivered"))
        self.assert_nothing_lost()

    def test_a_refused_entry_from_its_write_to_its_delivery(self):
        counts = ("pending_entries", "refused_entries", "breaker", "healthy")
        with refusing(self.history):
            with change_context(reason=REFUSED):
                self.here.write("set")
            self.assertEqual(self.values([self.drill.scrape("written")], *counts), [(1, 0, "closed", 1)])
            self.assertEqual(self.stage.deliver().wait(), 1)
            self.assertEqual(self.values([self.drill.scrape("refused")], *counts), [(1, 1, "closed", 1)])
        self.assertEqual(self.stage.deliver().wait(), 0)
        self.assert_all_delivered(self.drill.scrape("delivered"))
        self.assert_nothing_lost()

    def test_a_server_that_hangs_delays_one_page_for_one_timeout(self):
        self.here.write("set")
        with override_settings(HISTORY_TIMEOUT=1, HISTORY_RETRY_AFTER=60):
            self.history.pause()
            try:
                pages = [self.drill.scrape("server hangs") for _ in range(21)]
            finally:
                self.history.resume()
        self.assertGreater(pages[0].took, 1 - SLACK)
        self.assertLess(pages[0].took, 1 + SLACK)
        self.assertLess(max(page.took for page in pages[1:]), SLACK)
        self.assertEqual(self.values(pages, "breaker", "reachable"), [("open", 0)] * 21)
        self.assert_nothing_lost()
