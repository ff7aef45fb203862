"""The migrations create the tables of the models, each in its database, and remove them when reversed."""

from io import StringIO

from django.apps import apps
from django.core.management import call_command
from django.db import connections
from django.test import TestCase, TransactionTestCase, override_settings

from history.api import timeline
from kvstore.testing import UserFactory
from tests.kvstore.cache.blocks import usage
from tests.test_isolation import write

HISTORY = "student_module_history"
ENTRIES = "xblock_history_studentmodulehistory"
ERASURES = "xblock_history_erasure"
STATE = {
    "xblock_kvstore_studentmodule",
    "xblock_kvstore_userstatesummaryfield",
    "xblock_kvstore_preferencesfield",
    "xblock_kvstore_userinfofield",
    # A table of history in the state's database: pending entries.
    "xblock_history_pendinghistory",
}


def tables(alias):
    return set(connections[alias].introspection.table_names())


def columns(alias, table):
    """Return the names, types and nullability of a table's columns, and its constraints and indexes by name."""
    connection = connections[alias]
    with connection.cursor() as cursor:
        described = connection.introspection.get_table_description(cursor, table)
        constraints = connection.introspection.get_constraints(cursor, table)
    named = {name: (tuple(found["columns"]), found["unique"]) for name, found in constraints.items()}
    return [(column.name, column.type_code, column.null_ok) for column in described], named


class AsTheModels(TestCase):
    databases = {"default", HISTORY}

    def test_no_migration_is_missing(self):
        out = StringIO()
        call_command("makemigrations", "--check", "--dry-run", stdout=out)
        self.assertEqual(out.getvalue().strip(), "No changes detected")

    def test_no_migration_depends_on_where_the_history_is(self):
        for alias in ("default", "archive"):
            with self.subTest(alias=alias), override_settings(HISTORY_DATABASE_ALIAS=alias):
                call_command("makemigrations", "xblock_history", "xblock_kvstore", check_changes=True, verbosity=0)

    def test_a_fresh_installation_has_exactly_these_tables(self):
        self.assertEqual(tables(HISTORY), {"django_migrations", ENTRIES, ERASURES})
        expected = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
        self.assertEqual(tables("default"), (expected | {"django_migrations"}) - {ENTRIES, ERASURES})
        self.assertEqual({name for name in tables("default") if name.startswith("xblock_")}, STATE)

    def test_every_index_of_the_models_is_there_and_none_is_in_vain(self):
        for alias, table, unique, plain in (
            (
                "default",
                "xblock_kvstore_studentmodule",
                {("student_id", "module_state_key", "course_id")},
                {("course_id", "id"), ("course_id", "module_type", "id"), ("module_state_key", "id")},
            ),
            (
                HISTORY,
                ENTRIES,
                {("student_module_id", "version", "digest")},
                {
                    ("module_state_key", "student_id"),
                    ("course_id", "created", "student_module_id"),
                    ("student_id", "created", "student_module_id"),
                    ("created", "student_module_id"),
                },
            ),
        ):
            with self.subTest(table=table), connections[alias].cursor() as cursor:
                found = connections[alias].introspection.get_constraints(cursor, table).values()
                keys = {tuple(c["columns"]) for c in found if c["unique"] and not c["primary_key"]}
                indexes = {tuple(c["columns"]) for c in found if c["index"] and not c["unique"] and not c["check"]}
                self.assertEqual((keys, indexes), (unique, plain))


class BackAndForth(TransactionTestCase):
    """Outside a transaction, because making and removing tables commits on some databases."""

    databases = {"default", HISTORY}

    def migrate(self, *target):
        for alias in ("default", HISTORY):
            for label in ("xblock_history", "xblock_kvstore"):
                call_command("migrate", label, *target, database=alias, verbosity=0)

    def test_back_to_nothing_and_forth_again(self):
        before = {(alias, name): columns(alias, name) for alias in ("default", HISTORY) for name in self.ours(alias)}
        self.assertEqual(set(before), {("default", name) for name in STATE} | {(HISTORY, ENTRIES), (HISTORY, ERASURES)})
        self.addCleanup(self.migrate)
        self.migrate("zero")
        self.assertEqual((self.ours("default"), self.ours(HISTORY)), (set(), set()))
        self.assertIn("auth_user", tables("default"))
        self.migrate()
        after = {(alias, name): columns(alias, name) for alias in ("default", HISTORY) for name in self.ours(alias)}
        self.assertEqual(after, before)

        user = UserFactory()
        write(user, 1)
        self.assertEqual([entry.version for entry in timeline(user, usage("block"))], [1])

    def ours(self, alias):
        return {name for name in tables(alias) if name.startswith("xblock_")}
