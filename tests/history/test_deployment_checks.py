"""Checks that query the database: missing tables and migrations, a database that cannot be reached."""

from io import StringIO

from django.core.checks import ERROR, Tags, run_checks
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.db.migrations.recorder import MigrationRecorder
from django.test import TransactionTestCase, override_settings

import history.checks
from history.models import PendingHistory
from kvstore.testing import assert_queries
from tests.history.database.roles import connected_as, web_role
from tests.history.outages import history_outage, reconnected, table_away

HISTORY = "student_module_history"


def unreachable(alias):
    """Return where a database of the vendor in use is not."""
    if connections[alias].vendor == "sqlite":
        return "/no/such/folder/history.sqlite3"
    return "no_such_database"


class Deployment(TransactionTestCase):
    """Outside a transaction, because a table is taken away and a connection replaced."""

    databases = {"default", HISTORY}

    def check(self, *aliases):
        return run_checks(tags=[Tags.database], include_deployment_checks=True, databases=list(aliases))

    def command(self, *arguments):
        call_command("check", "--tag=database", *arguments, stdout=StringIO())

    def test_a_migrated_alias_passes(self):
        if connection.vendor != "sqlite":
            # The tests connect as the owner, which has more privileges than history.W002 allows.
            self.enterContext(connected_as(self.enterContext(web_role())))
        self.assertEqual(self.check("default", HISTORY), [])
        self.command("--deploy", "--fail-level=WARNING", f"--database={HISTORY}")

    def test_a_migration_that_was_not_run(self):
        recorder = MigrationRecorder(connections[HISTORY])
        recorder.record_unapplied("xblock_history", "0001_initial")
        self.addCleanup(recorder.record_applied, "xblock_history", "0001_initial")
        (found,) = self.check(HISTORY)
        self.assertEqual((found.id, found.level), ("history.E004", ERROR))
        self.assertIn("migration xblock_history.0001_initial is not applied", found.msg)
        self.assertIn(f"migrate --database {HISTORY}", found.hint)
        self.assertTrue(found.hint.endswith("docs/reference/checks.md#history-e004"))
        with self.assertRaisesMessage(CommandError, "history.E004"):
            self.command("--deploy", f"--database={HISTORY}")

    def test_a_table_that_is_not_there(self):
        with history_outage():
            (found,) = self.check(HISTORY)
        self.assertEqual(found.id, "history.E004")
        self.assertIn("table xblock_history_studentmodulehistory does not exist", found.msg)
        self.assertIn("--fake xblock_history zero", found.hint)

    def test_a_table_that_is_not_there_in_the_one_database(self):
        with override_settings(HISTORY_DATABASE_ALIAS="default"):
            (found,) = self.check("default")
        self.assertEqual(found.id, "history.E004")
        self.assertIn("'default' is not migrated: table xblock_history_studentmodulehistory does not exist", found.msg)
        self.assertNotIn("--fake", found.hint)

    def test_a_missing_table_of_pending_entries(self):
        with table_away(PendingHistory, "default"):
            (found,) = self.check("default")
        self.assertEqual((found.id, found.level), ("history.E008", ERROR))
        self.assertIn("migrate --database default", found.hint)

    def test_a_database_that_cannot_be_reached(self):
        self.enterContext(reconnected(HISTORY, NAME=unreachable(HISTORY)))
        # Called by itself: on MySQL a check of Django's own would connect before it, and fail.
        (found,) = history.checks.check_tables(None, databases=[HISTORY])
        self.assertEqual((found.id, found.level), ("history.E006", ERROR))
        self.assertIn(f"{HISTORY!r} cannot be reached", found.msg)
        self.assertTrue(found.hint.endswith("docs/reference/checks.md#history-e006"))

    def test_nothing_is_asked_of_a_database_that_the_command_does_not_name(self):
        with assert_queries():
            self.assertEqual(self.check(), [])
            self.assertEqual(run_checks(), [])
        with override_settings(HISTORY_DATABASE_ALIAS="absent"):
            self.assertEqual(self.check(HISTORY), [])
