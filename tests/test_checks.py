"""Every check fires alone where what it is about is wrong, says what to do, and is explained in the reference."""

import re
import tempfile
from io import StringIO
from pathlib import Path
from secrets import token_hex
from unittest import mock, skipIf, skipUnless

from django.conf import settings
from django.core.checks import ERROR, WARNING, Tags, run_checks
from django.core.checks.registry import registry
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.db.migrations.recorder import MigrationRecorder
from django.test import SimpleTestCase, TransactionTestCase, override_settings
from django.test.utils import CaptureQueriesContext

import history.checks
import kvstore.checks
from history.models import PendingHistory, StudentModuleHistory
from kvstore.testing import assert_queries
from tests.history.database.roles import ENTRIES, MIGRATIONS, WEB, Role, connected_as, created, grant, run, web_role
from tests.history.outages import history_outage, reconnected, table_away
from tests.projects import Project

CHECKOUT = Path(__file__).resolve().parent.parent
REFERENCE = CHECKOUT / "docs" / "reference" / "checks.md"
HISTORY = "student_module_history"
IDS = {*(f"history.E{number:03}" for number in range(1, 10)), "history.W001", "history.W002"}
IDS |= {"kvstore.E001", "kvstore.E002"}


class EverythingMigratesEverywhere:
    """A router that answers before ours, for every app."""

    def allow_migrate(self, db, app_label, **hints):
        return True


class OtherAppsMigrateEverywhere:
    def allow_migrate(self, db, app_label, **hints):
        return True if app_label != "xblock_history" else None


class EntriesMigrateNowhere:
    def allow_migrate(self, db, app_label, **hints):
        return False if app_label == "xblock_history" else None


class EntriesGoToDefault:
    def db_for_write(self, model, **hints):
        return "default"


class EntriesAreReadFromDefault:
    def db_for_read(self, model, **hints):
        return "default"


def first(router):
    """Return settings with a router before ours."""
    return {"DATABASE_ROUTERS": [router(), "routers.StudentModuleHistoryRouter"]}


def database_setting(alias, **options):
    """Change options of an alias; override_settings would have to make its connection anew."""
    return mock.patch.dict(settings.DATABASES[alias], options)


def unreachable(alias):
    """Return where a database of the vendor in use is not."""
    if connections[alias].vendor == "sqlite":
        return "/no/such/folder/history.sqlite3"
    return "no_such_database"


class Fires(SimpleTestCase):
    def assert_fires(self, check_id, message, hint):
        (found,) = run_checks()
        self.assertEqual((found.id, found.level), (check_id, ERROR))
        self.assertRegex(found.msg, message)
        self.assertRegex(found.hint, hint)
        anchor = check_id.lower().replace(".", "-")
        self.assertTrue(found.hint.endswith(f"docs/reference/checks.md#{anchor}"), found.hint)

    def test_none_where_all_is_well(self):
        self.assertEqual(run_checks(), [])
        call_command("check", stdout=StringIO())

    def test_alias_missing(self):
        with override_settings(HISTORY_DATABASE_ALIAS="absent"):
            self.assert_fires("history.E001", "no alias 'absent'", "HISTORY_DATABASE_ALIAS")

    def test_entries_routed_elsewhere(self):
        for router in (EntriesGoToDefault, EntriesAreReadFromDefault):
            with self.subTest(router=router), override_settings(**first(router)):
                self.assert_fires("history.E002", f"go to default, not to '{HISTORY}'", "DATABASE_ROUTERS.*__file__")

    def test_migrations_routed_elsewhere(self):
        for router, where in (
            (EverythingMigratesEverywhere, "would run on 'default' too"),
            (EntriesMigrateNowhere, f"would not run on '{HISTORY}'"),
        ):
            with self.subTest(router=router), override_settings(**first(router)):
                self.assert_fires("history.E003", where, "before routers that answer allow_migrate")

    def test_other_apps_migrated_on_the_alias(self):
        with override_settings(**first(OtherAppsMigrateEverywhere)):
            self.assert_fires("history.E003", f"other apps on '{HISTORY}'", "before routers")

    def test_a_missing_router_fires_whatever_it_would_have_decided(self):
        with override_settings(DATABASE_ROUTERS=[]):
            self.assertEqual({found.id for found in run_checks()}, {"history.E002", "history.E003"})

    def test_requests_wrapped_in_transactions(self):
        for option in ({"ATOMIC_REQUESTS": True}, {"AUTOCOMMIT": False}):
            with self.subTest(option=option), database_setting(HISTORY, **option):
                self.assert_fires("history.E005", f"DATABASES\\['{HISTORY}'\\]", "ATOMIC_REQUESTS")

    def test_requests_wrapped_in_transactions_on_default_are_no_concern(self):
        with database_setting("default", ATOMIC_REQUESTS=True):
            self.assertEqual(run_checks(), [])
            with override_settings(HISTORY_DATABASE_ALIAS="default", DATABASE_ROUTERS=[]):
                self.assertNotIn("history.E005", {found.id for found in run_checks()})

    def test_block_types_that_are_no_list(self):
        for types in ("problem", "*, problem", 5, None, [1], {"problem": True, 2: True}):
            with self.subTest(types=types), override_settings(HISTORY_BLOCK_TYPES=types):
                self.assert_fires("history.E007", re.escape(repr(types)), r"\['problem'\], or '\*'")

    def test_block_types_that_are_a_collection(self):
        for types in ("*", [], ["problem"], ("*",), {"problem", "video"}, frozenset()):
            with self.subTest(types=types), override_settings(HISTORY_BLOCK_TYPES=types):
                self.assertEqual(run_checks(), [])

    def test_a_request_id_header_that_is_no_name_of_a_header(self):
        for name in ("HTTP_X_REQUEST_ID", "X Request ID", "", True, b"X-Request-ID", ["X-Request-ID"]):
            with self.subTest(name=name), override_settings(HISTORY_REQUEST_ID_HEADER=name):
                self.assert_fires("history.E009", re.escape(repr(name)), "'X-Request-ID', or set it to None")

    def test_a_request_id_header_that_is_a_name(self):
        for name in (None, "X-Request-ID", "traceparent"):
            with self.subTest(name=name), override_settings(HISTORY_REQUEST_ID_HEADER=name):
                self.assertEqual(run_checks(), [])

    def test_one_database_with_a_replica_needs_no_router(self):
        replica = {**settings.DATABASES["default"], "TEST": {"MIRROR": "default"}}
        databases = {"default": settings.DATABASES["default"], "replica": replica}
        with (
            mock.patch.dict(settings.DATABASES, databases, clear=True),
            override_settings(HISTORY_DATABASE_ALIAS="default", DATABASE_ROUTERS=[]),
        ):
            self.assertEqual(run_checks(), [])


class Deployment(TransactionTestCase):
    """Outside a transaction, because a table is taken away and a connection replaced."""

    databases = {"default", HISTORY}

    def check(self, *aliases):
        return run_checks(tags=[Tags.database], include_deployment_checks=True, databases=list(aliases))

    def command(self, *arguments):
        call_command("check", "--tag=database", *arguments, stdout=StringIO())

    def test_a_migrated_alias_passes(self):
        if connection.vendor != "sqlite":
            # The owner, as whom the tests connect, has more privileges than history.W002 allows.
            self.enterContext(connected_as(self.enterContext(web_role())))
        self.assertEqual(self.check("default", HISTORY), [])
        self.command("--deploy", "--fail-level=WARNING", f"--database={HISTORY}")

    def test_a_migration_that_was_not_run(self):
        recorder = MigrationRecorder(connections[HISTORY])
        recorder.record_unapplied("xblock_history", "0001_initial")
        self.addCleanup(recorder.record_applied, "xblock_history", "0001_initial")
        (found,) = self.check(HISTORY)
        self.assertEqual((found.id, found.level), ("history.E004", ERROR))
        self.assertIn("migration xblock_history.0001_initial was not run", found.msg)
        self.assertIn(f"migrate --database {HISTORY}", found.hint)
        self.assertTrue(found.hint.endswith("docs/reference/checks.md#history-e004"))
        with self.assertRaisesMessage(CommandError, "history.E004"):
            self.command("--deploy", f"--database={HISTORY}")

    def test_a_table_that_is_not_there(self):
        with history_outage():
            (found,) = self.check(HISTORY)
        self.assertEqual(found.id, "history.E004")
        self.assertIn("table xblock_history_studentmodulehistory is not there", found.msg)
        self.assertIn("--fake xblock_history zero", found.hint)

    def test_a_table_that_is_not_there_in_the_one_database(self):
        with override_settings(HISTORY_DATABASE_ALIAS="default"):
            (found,) = self.check("default")
        self.assertEqual(found.id, "history.E004")
        self.assertIn("'default' is not migrated: table xblock_history_studentmodulehistory is not there", found.msg)
        self.assertNotIn("--fake", found.hint)

    def test_a_table_of_waiting_entries_that_is_not_there(self):
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


class Privileges(TransactionTestCase):
    """Outside a transaction, because roles are created, which MySQL commits, and connections replaced."""

    databases = {"default", HISTORY}

    def check(self, alias=HISTORY):
        return history.checks.check_privileges(None, databases=[alias])

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
            history.checks.check_tables(None, databases=[HISTORY])
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
    def test_a_database_that_does_not_tell_is_reported(self):
        run("SET SESSION TRANSACTION READ ONLY")
        self.addCleanup(run, "SET SESSION TRANSACTION READ WRITE")
        (found,) = self.check()
        self.assertEqual(found.id, "history.W002")
        self.assertRegex(found.msg, f"privileges on '{HISTORY}' cannot be determined: .*READ ONLY")

    def test_a_missing_table_is_another_check_s_matter(self):
        with history_outage():
            self.assertEqual(self.check(), [])


class OtherProjects(SimpleTestCase):
    """What cannot be had within this project: another app named like ours, another kind of user."""

    def setUp(self):
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.project = Project(folder, CHECKOUT)

    def assert_only(self, check_id, *texts):
        result = self.project.manage("check")
        self.assertEqual(result.returncode, 1, result.stdout)
        self.assertEqual(re.findall(r"\((\w+\.[EWC]\d+)\)", result.stdout), [check_id], result.stdout)
        for text in (*texts, f"docs/reference/checks.md#{check_id.lower().replace('.', '-')}"):
            self.assertIn(text, result.stdout)

    def test_an_app_of_the_project_is_named_history(self):
        self.project.write("history/__init__.py", "")
        self.project.add_settings("DATABASE_ROUTERS = []")
        self.assert_only("kvstore.E001", str(self.project.folder / "history"), "Rename")

    def test_users_have_ids_that_are_no_integers(self):
        self.project.write("people/__init__.py", "")
        self.project.write(
            "people/models.py",
            "import uuid\nfrom django.contrib.auth.models import AbstractUser\nfrom django.db import models\n"
            "class Person(AbstractUser):\n    id = models.UUIDField(primary_key=True, default=uuid.uuid4)\n",
        )
        self.project.add_settings("INSTALLED_APPS.append('people')\nAUTH_USER_MODEL = 'people.Person'")
        self.assert_only("kvstore.E002", "people.Person", "UUIDField", "integer primary key")

    def test_kvstore_alone_is_a_whole_installation(self):
        self.project.add_settings("INSTALLED_APPS.remove('history')\ndel DATABASES['student_module_history']")
        self.project.add_settings("DATABASE_ROUTERS = []")
        result = self.project.manage("check", "--fail-level=WARNING")
        self.assertEqual(result.returncode, 0, result.stdout)


class Reference(SimpleTestCase):
    def test_every_id_is_in_the_code_once_and_in_the_reference_once(self):
        source = "".join(
            Path(module.__file__).read_text(encoding="utf-8") for module in (history.checks, kvstore.checks)
        )
        numbers = re.findall(r"_error\(\s*(\d+),", source)
        in_code = [f"history.E{int(number):03}" for number in numbers]
        in_code += re.findall(r'id="(\w+\.[EW]\d+)"', source)
        self.assertEqual(sorted(in_code), sorted(IDS))
        text = REFERENCE.read_text(encoding="utf-8")
        self.assertEqual(sorted(re.findall(r"^## (\S+\.[EW]\d+)$", text, re.MULTILINE)), sorted(IDS))
        anchors = re.findall(r'<a id="([^"]+)"></a>', text)
        self.assertEqual(sorted(anchors), sorted(check_id.lower().replace(".", "-") for check_id in IDS))

    def test_checks_are_registered_and_only_those_that_connect_are_for_deployments(self):
        ours = {
            check.__name__: check in registry.deployment_checks
            for check in (*registry.registered_checks, *registry.deployment_checks)
            if check.__module__ in ("history.checks", "kvstore.checks")
        }
        connecting = {name for name, deployment in ours.items() if deployment}
        self.assertEqual(connecting, {"check_tables", "check_waiting_table", "check_waiting_age", "check_privileges"})
        self.assertEqual(len(ours), 12)
