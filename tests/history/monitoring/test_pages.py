"""The pages show the pending and refused entries, the breaker and the databases, and open few connections.

TransactionTestCase: the outages are real, and pending entries are committed.
"""

from datetime import timedelta
from unittest import skipIf

from django.contrib.auth.models import Permission
from django.db import DatabaseError, connection
from django.test import TransactionTestCase, override_settings
from django.utils import timezone
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from history.api import change_context, deliver
from history.database.circuit_breaker import breaker
from history.models import PendingHistory
from kvstore.api import DjangoXBlockUserStateClient
from kvstore.testing import UserFactory, assert_queries
from tests.history.monitoring.pages import BREAKER, HEALTH, METRICS, TOKEN, samples, scrape
from tests.history.outages import (
    end_session,
    fresh_breaker,
    history_outage,
    history_refuses,
    history_unreachable,
    reconnected,
    table_away,
)
from tests.kvstore.cache.blocks import usage

HISTORY = "student_module_history"


@override_settings(HISTORY_MONITORING_TOKEN=TOKEN)
class Pages(TransactionTestCase):
    databases = {"default", HISTORY}

    def setUp(self):
        self.enterContext(fresh_breaker())
        self.user = UserFactory()
        self.set(1)

    def set(self, value):
        DjangoXBlockUserStateClient(self.user).set(self.user.username, usage("block"), {"a": value})

    def leave_pending(self, *values, age=0):
        with history_outage():
            for value in values:
                self.set(value)
        PendingHistory.objects.update(created=timezone.now() - timedelta(seconds=age))

    def staff(self):
        user = UserFactory(is_staff=True)
        user.user_permissions.add(Permission.objects.get(codename="view_pendinghistory"))
        return user

    def metrics(self):
        response = scrape(METRICS)
        self.assertEqual(response.status_code, 200)
        return samples(response)

    def test_all_is_well(self):
        response = scrape(HEALTH)
        self.assertEqual((response.status_code, response["Content-Type"]), (200, "application/json"))
        expected = {"state_reachable": True, "reachable": True, "migrated": True, "healthy": True, "overdue": False}
        expected |= {"breaker": "closed", "pending": 0, "refused": 0, "oldest_pending": None, "oldest_pending_age": 0.0}
        self.assertEqual(response.json(), expected)

    def test_the_metrics_are_openmetrics(self):
        response = scrape(METRICS)
        self.assertEqual(response["Content-Type"], "application/openmetrics-text; version=1.0.0; charset=utf-8")
        families = {family.name: family for family in text_string_to_metric_families(response.text)}
        self.assertTrue(response.text.endswith("\n# EOF\n"))
        self.assertEqual(len(families), 8)
        for name, family in families.items():
            with self.subTest(name=name):
                self.assertTrue(name.startswith("xblock_history_") and family.documentation.endswith("."))
                self.assertEqual(family.type, "stateset" if name == BREAKER else "gauge")
                self.assertEqual(family.unit, "seconds" if name.endswith("_seconds") else "")
        expected = {"state_reachable": 1, "healthy": 1, "reachable": 1, "migrated": 1, "breaker": "closed"}
        expected |= {"pending_entries": 0, "refused_entries": 0, "oldest_pending_age_seconds": 0}
        self.assertEqual(samples(response), expected)

    def test_pending_entries_and_their_age(self):
        self.leave_pending(2, 3, age=90)
        found = self.metrics()
        self.assertEqual((found["pending_entries"], found["healthy"]), (2, 1))
        self.assertTrue(90 <= found["oldest_pending_age_seconds"] < 150, found)
        values = scrape(HEALTH).json()
        self.assertTrue(90 <= values["oldest_pending_age"] < 150, values)
        self.assertRegex(values["oldest_pending"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$")

    def test_overdue_entries_are_unhealthy(self):
        self.leave_pending(2, age=7200)
        response = scrape(HEALTH)
        self.assertEqual((response.status_code, response.json()["overdue"]), (503, True))
        self.assertEqual(self.metrics()["healthy"], 0)
        deliver()
        self.assertEqual(scrape(HEALTH).status_code, 200)

    def test_a_refused_entry_is_counted_from_its_first_refusal_to_its_delivery(self):
        with history_refuses("refused"):
            with history_outage():
                self.set(2)
                with change_context(reason="refused"):
                    self.set(3)
            self.assertEqual(self.metrics()["refused_entries"], 0)
            deliver()
            found = self.metrics()
            self.assertEqual((found["pending_entries"], found["refused_entries"], found["healthy"]), (1, 1, 1))
            first = PendingHistory.objects.get().refused
            deliver()
            self.assertEqual(PendingHistory.objects.get().refused, first)
        deliver()
        found = self.metrics()
        self.assertEqual((found["pending_entries"], found["refused_entries"]), (0, 0))

    def test_a_write_that_is_refused_is_pending_until_a_delivery_finds_the_refused_entry(self):
        with history_refuses("refused"):
            with change_context(reason="refused"):
                self.set(2)
            self.assertEqual((self.metrics()["pending_entries"], self.metrics()["refused_entries"]), (1, 0))
            self.assertEqual(deliver().refused, 1)
            self.assertEqual(scrape(HEALTH).json()["refused"], 1)
        deliver()

    def test_a_failing_history_database_is_called_once_and_then_skipped(self):
        with history_outage():
            self.set(2)
            for page, queries in ((HEALTH, {"default": 2}), (METRICS, {"default": 2})):
                with self.subTest(page=page), assert_queries(**queries):
                    scrape(page)
            found = self.metrics()
        self.assertEqual((found["breaker"], found["reachable"], found["healthy"]), ("open", 0, 0))

    def test_a_failure_that_a_page_finds_opens_the_breaker(self):
        with unreachable():
            self.assertEqual(self.metrics()["reachable"], 0)
            self.assertEqual(breaker.state, "open")
            with self.assertNumQueries(5):
                self.set(2)
        self.assertEqual(PendingHistory.objects.count(), 1)

    @override_settings(HISTORY_RETRY_AFTER=0)
    def test_a_page_calls_a_database_again_and_leaves_the_breaker_to_the_next_write(self):
        breaker.record_failure(DatabaseError("down"))
        found = self.metrics()
        self.assertEqual((found["breaker"], found["reachable"], found["healthy"]), ("open", 1, 1))
        self.set(2)
        self.assertEqual((self.metrics()["breaker"], PendingHistory.objects.count()), ("closed", 0))

    def test_the_table_of_entries_is_missing(self):
        with history_outage():
            found = self.metrics()
            response = scrape(HEALTH)
        self.assertEqual((found["reachable"], found["migrated"], found["healthy"]), (1, 0, 0))
        self.assertEqual((response.status_code, response.json()["migrated"]), (503, False))

    def test_no_page_contains_the_error_of_a_database(self):
        with unreachable():
            for page in (HEALTH, METRICS, "/health/"):
                breaker.reset()
                text = scrape(page).text
                with self.subTest(page=page):
                    self.assertNotRegex(text, "(?i)nowhere|127.0.0.1|unable|connect")

    def test_the_database_of_the_state_fails(self):
        with table_away(PendingHistory, "default"), self.assertLogs("history", "ERROR") as logs:
            response = scrape(HEALTH)
            found = self.metrics()
        self.assertEqual(response.status_code, 503)
        self.assertEqual(response.json(), {"state_reachable": False, "healthy": False, "breaker": "closed"})
        self.assertEqual(found, {"state_reachable": 0, "healthy": 0, "breaker": "closed"})
        self.assertEqual([record.event for record in logs.records], ["health_failed"] * 2)

    def test_the_number_of_queries(self):
        for page in (HEALTH, METRICS):
            with self.subTest(page=page), assert_queries(default=1, student_module_history=1):
                scrape(page)
        # The session, the user, the user's permissions, those of the groups, the pending entries.
        self.client.force_login(self.staff())
        for page in (HEALTH, METRICS):
            with self.subTest(page=page, user="staff"), assert_queries(default=5, student_module_history=1):
                self.client.get(page)
        self.leave_pending(2, 3)
        for page in (HEALTH, METRICS):
            with self.subTest(page=page, pending=2), assert_queries(default=2, student_module_history=1):
                scrape(page)

    @skipIf(connection.vendor == "sqlite", "SQLite has no server that could end a session")
    def test_a_kept_connection_that_died_is_replaced(self):
        end_session(HISTORY)
        self.assertEqual(self.metrics()["reachable"], 1)
        self.assertEqual(breaker.state, "closed")


def unreachable():
    """Connect the history alias to a server, or on SQLite to a file, that does not exist."""
    if connection.vendor == "sqlite":
        return reconnected(HISTORY, NAME="/nowhere/history.sqlite3")
    return history_unreachable()
