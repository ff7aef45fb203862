"""history.W002 warns of every privilege on entries that the web processes do not need."""

from secrets import token_hex
from unittest import skipIf, skipUnless

from django.core.checks import WARNING
from django.db import connection, connections
from django.test import TransactionTestCase, override_settings
from django.test.utils import CaptureQueriesContext

import history.checks
from history.models import StudentModuleHistory
from kvstore.testing import assert_queries
from tests.history.database.roles import ENTRIES, MIGRATIONS, WEB, Role, connected_as, created, grant, run, web_role
from tests.history.outages import history_outage

HISTORY = "student_module_history"


class Privileges(TransactionTestCase):
    """Outside a transaction, because roles are created, which MySQL commits, and connections replaced."""

    databases = {"default", HISTORY}

    def check(self, alias=HISTORY):
        return list(history.checks.check_privileges(None, databases=[alias]))

    def check_as(self, role):
        with connected_as(role):
            return self.check()

    def assert_warns(self, found, role, *privileges):
        (warning,) = found
        self.assertEqual((warning.id, warning.level), ("history.W002", WARNING))
        self.assertIn(repr(HISTORY), warning.msg)
        self.assertRegex(warning.msg, rf"^The role '{role}(@[^']+)?' ")
        self.assertTrue(warning.msg.endswith(f"it has {', '.join(privileges)}."), warning.msg)
        self.assertIn("only SELECT and INSERT", warning.hint)
        self.assertTrue(warning.hint.endswith("docs/reference/checks.md#history-w002"), warning.hint)

    @property
    def empties(self):
        """The privilege that TRUNCATE needs."""
        return {"postgresql": "TRUNCATE", "mysql": "DROP"}[connection.vendor]

    @skipUnless(connection.vendor == "sqlite", "a server has roles")
    def test_sqlite_has_no_roles(self):
        with assert_queries(student_module_history=len(self.queries_of_tables())):
            self.assertEqual(self.check(), [])

    def queries_of_tables(self):
        """Return the queries of the check that this one makes first."""
        with CaptureQueriesContext(connections[HISTORY]) as context:
            list(history.checks.check_tables(None, databases=[HISTORY]))
        return context.captured_queries

    @skipIf(connection.vendor == "sqlite", "SQLite has no roles")
    def test_select_and_insert_are_not_reported(self):
        with web_role() as role:
            self.assertEqual(self.check_as(role), [])

    @skipIf(connection.vendor == "sqlite", "SQLite has no roles")
    def test_each_other_privilege_on_entries_is_reported(self):
        for privilege in ("UPDATE", "DELETE", self.empties):
            with self.subTest(privilege=privilege), web_role(privilege) as role:
                self.assert_warns(self.check_as(role), role.name, privilege)
        with self.subTest("one column"), web_role("UPDATE (state)") as role:
            self.assert_warns(self.check_as(role), role.name, "UPDATE")

    @skipIf(connection.vendor == "sqlite", "SQLite has no roles")
    def test_the_owner_is_reported(self):
        found = self.check()
        user = connections[HISTORY].settings_dict["USER"]
        self.assert_warns(found, user, "UPDATE", "DELETE", self.empties)

    @skipIf(connection.vendor == "sqlite", "SQLite has no roles")
    def test_privileges_of_a_role_that_the_role_belongs_to_are_reported(self):
        group = f"group_of_{token_hex(6)}"
        run(f"CREATE ROLE {group}", f"GRANT DELETE, {self.empties} ON {ENTRIES} TO {group}")
        self.addCleanup(run, f"REVOKE ALL ON {ENTRIES} FROM {group}", f"DROP ROLE {group}")
        with web_role() as role:
            run(f"GRANT {group} TO {role.account}")
            if connection.vendor == "mysql":
                run(f"SET DEFAULT ROLE {group} FOR {role.account}")
            self.assert_warns(self.check_as(role), role.name, "DELETE", self.empties)

    @skipUnless(connection.vendor == "mysql", "MySQL grants privileges on databases")
    def test_privileges_on_databases_are_reported(self):
        name = connections[HISTORY].settings_dict["NAME"]
        for scope in (f"`{name}`.*", "`%`.*", "*.*"):
            with self.subTest(scope=scope), web_role() as role:
                run(f"GRANT ALL ON {scope} TO {role.account}")
                self.assert_warns(self.check_as(role), role.name, "UPDATE", "DELETE", "DROP")
        with self.subTest("another database and another table"), web_role() as role:
            run(f"GRANT ALL ON `{name}_other`.* TO {role.account}")
            grant(role, {MIGRATIONS: "UPDATE, DELETE, DROP"})
            self.assertEqual(self.check_as(role), [])

    @skipUnless(connection.vendor == "mysql", "MySQL tells accounts apart by host")
    def test_privileges_of_the_same_user_at_another_host_are_reported(self):
        """They apply although SHOW GRANTS does not list them: a role of any host has them on the database."""
        with connections[HISTORY].cursor() as cursor:
            cursor.execute("SELECT SUBSTRING_INDEX(USER(), '@', -1)")
            (host,) = cursor.fetchone()
        with web_role() as anywhere:
            here = Role(anywhere.name, anywhere.password, anywhere.vendor, host)
            with created(here):
                grant(here, WEB)
                self.assertEqual(self.check_as(here), [])
                run(f"GRANT UPDATE, DELETE ON `{connections[HISTORY].settings_dict['NAME']}`.* TO {anywhere.account}")
                self.assert_warns(self.check_as(here), here.name, "UPDATE", "DELETE")

    @skipIf(connection.vendor == "sqlite", "SQLite has no roles")
    def test_erasure_needs_delete(self):
        with override_settings(HISTORY_ON_DELETE="erase"):
            with web_role("DELETE") as role:
                self.assertEqual(self.check_as(role), [])
            with web_role("UPDATE, DELETE") as role:
                self.assert_warns(self.check_as(role), role.name, "UPDATE")

    @skipIf(connection.vendor == "sqlite", "SQLite has no roles")
    def test_one_database(self):
        self.create_entries("default")
        with override_settings(HISTORY_DATABASE_ALIAS="default"):
            (found,) = self.check("default")
            self.assertIn("history database 'default'", found.msg)
            self.assertIn(f"SELECT and INSERT on {ENTRIES}: GRANT", found.hint)
            with web_role(alias="default") as role, connected_as(role, alias="default"):
                self.assertEqual(self.check("default"), [])

    def create_entries(self, alias):
        """Create the table of entries in a database, and delete it after the test."""
        editor = connections[alias].schema_editor
        with editor() as schema:
            schema.create_model(StudentModuleHistory)

        def delete():
            with editor() as schema:
                schema.delete_model(StudentModuleHistory)

        self.addCleanup(delete)

    @skipIf(connection.vendor == "sqlite", "SQLite has no roles")
    def test_nothing_is_written_or_read(self):
        before = len(self.queries_of_tables())
        with CaptureQueriesContext(connections[HISTORY]) as context:
            self.check()
        statements = [query["sql"].split()[0] for query in context.captured_queries[before:]]
        self.assertLessEqual(set(statements), {"SELECT", "EXPLAIN", "SHOW"})

    @skipUnless(connection.vendor == "mysql", "PostgreSQL answers in read-only transactions too")
    def test_a_database_that_hides_its_privileges_is_reported(self):
        run("SET SESSION TRANSACTION READ ONLY")
        self.addCleanup(run, "SET SESSION TRANSACTION READ WRITE")
        (found,) = self.check()
        self.assertEqual(found.id, "history.W002")
        self.assertRegex(found.msg, f"privileges on '{HISTORY}' cannot be determined: .*READ ONLY")

    def test_a_missing_table_is_another_check_s_matter(self):
        with history_outage():
            self.assertEqual(self.check(), [])
