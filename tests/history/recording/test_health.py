"""Health reports whether changes are recorded: by function, command, check and page.

TransactionTestCase: the outages are real, and pending entries are committed.
"""

import json
from datetime import timedelta

from django.core import checks
from django.test import TransactionTestCase, override_settings
from django.utils import timezone

from history.api import deliver, health
from history.checks import check_pending_age
from history.models import PendingHistory
from kvstore.api import DjangoXBlockUserStateClient
from kvstore.testing import UserFactory, assert_queries
from tests.history.commands import exit_code, run_command
from tests.history.outages import alias_missing, history_outage
from tests.kvstore.cache.blocks import usage


class HealthReports(TransactionTestCase):
    databases = {"default", "student_module_history"}

    def setUp(self):
        self.user = UserFactory()
        DjangoXBlockUserStateClient(self.user).set(self.user.username, usage("block"), {"a": 1})

    def outage(self, *, age=timedelta(0)):
        """Leave one pending entry of the given age."""
        with history_outage():
            DjangoXBlockUserStateClient(self.user).set(self.user.username, usage("block"), {"a": 2})
            during = health()
        PendingHistory.objects.update(created=timezone.now() - age)
        return during

    def test_all_is_well(self):
        found = health()
        self.assertTrue(found.healthy and found.reachable and found.migrated)
        self.assertEqual((found.breaker, found.pending, found.oldest_pending, found.error), ("closed", 0, None, ""))
        self.assertEqual(run_command("history_health").code, 0)
        self.assertEqual(exit_code("history_health"), 0)

    def test_an_outage_shows(self):
        during = self.outage()
        self.assertEqual((during.migrated, during.breaker, during.pending), (False, "open", 1))
        self.assertFalse(during.healthy)
        after = health()
        self.assertTrue(after.healthy)
        self.assertEqual(after.pending, 1)

    def test_the_command_and_the_check_report_overdue_entries(self):
        self.outage(age=timedelta(hours=2))
        asked = run_command("history_health", json=True)
        self.assertEqual((json.loads(asked.output)["overdue"], asked.code), (True, 1))
        self.assertRegex(asked.message, "1 history entries are pending, .* Run `manage.py deliver_history`")
        self.assertEqual(exit_code("history_health"), 1)
        found = checks.run_checks(tags=[checks.Tags.database], include_deployment_checks=True, databases=["default"])
        self.assertEqual([message.id for message in found], ["history.W001"])
        deliver()
        self.assertEqual(run_command("history_health").code, 0)

    def test_the_error_of_the_command_names_the_problem_and_the_fix(self):
        with alias_missing():
            asked = run_command("history_health")
            self.assertEqual(asked.code, 1)
            self.assertRegex(asked.message, r"'absent' does not answer: .* Check DATABASES\['absent'\]")
        with history_outage():
            asked = run_command("history_health")
        self.assertEqual(asked.code, 1)
        self.assertIn("Run `manage.py migrate --database student_module_history`", asked.message)

    def test_the_check_of_pending_entries_queries_default_alone(self):
        self.outage(age=timedelta(hours=2))
        with assert_queries(default=3):
            (found,) = check_pending_age(None, databases=["default"])
        self.assertEqual(found.id, "history.W001")

    @override_settings(HISTORY_DATABASE_ALIAS="nowhere")
    def test_an_alias_that_is_missing_is_not_reachable(self):
        found = health()
        self.assertEqual((found.reachable, found.healthy), (False, False))
        self.assertIn("nowhere", found.error)

    def test_the_page_answers_200_during_an_outage(self):
        with history_outage():
            response = self.client.get("/health/")
        self.assertEqual((response.status_code, response.json()["history"]["healthy"]), (200, False))
