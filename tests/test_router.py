"""Entries go to their alias in every installation. No other model does."""

from contextlib import contextmanager

from django.apps import apps
from django.contrib.auth.models import User
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import connections, models, router, transaction
from django.db.migrations.executor import MigrationExecutor
from django.test import SimpleTestCase, TransactionTestCase, override_settings
from django.test.utils import isolate_apps

from history.api import HistoryUnavailable, timeline
from history.models import StudentModuleHistory
from kvstore.api import DjangoXBlockUserStateClient
from kvstore.models import PreferencesField, StudentModule, UserInfoField, UserStateSummaryField
from kvstore.testing import UserFactory, assert_queries
from tests.kvstore.cache.blocks import usage
from tests.later.notes import RAN
from tests.test_isolation import write

HISTORY = "student_module_history"
ROUTER = "routers.StudentModuleHistoryRouter"
OTHERS = (StudentModule, UserStateSummaryField, PreferencesField, UserInfoField, User)


@contextmanager
def model_beside_state():
    """Make history have a model that is kept with the state, for as long as the context lasts."""
    with isolate_apps("history"):

        class BesideState(models.Model):
            beside_state = True

            class Meta:
                app_label = "xblock_history"

    apps.register_model("xblock_history", BesideState)
    try:
        yield BesideState
    finally:
        del apps.all_models["xblock_history"]["besidestate"]
        apps.clear_cache()


def routed(model):
    """Return the aliases that a model is read from, written to and migrated on."""
    migrated = tuple(alias for alias in connections if router.allow_migrate_model(alias, model))
    return router.db_for_read(model), router.db_for_write(model), migrated


class Decisions(SimpleTestCase):
    def test_entries_go_to_their_alias_and_other_models_do_not(self):
        self.assertEqual(routed(StudentModuleHistory), (HISTORY, HISTORY, (HISTORY,)))
        for model in OTHERS:
            with self.subTest(model=model):
                self.assertEqual(routed(model), ("default", "default", ("default",)))

    def test_the_setting_names_the_alias(self):
        with override_settings(HISTORY_DATABASE_ALIAS="archive"):
            self.assertEqual(router.db_for_write(StudentModuleHistory), "archive")
            self.assertTrue(router.allow_migrate_model("archive", StudentModuleHistory))
            self.assertFalse(router.allow_migrate_model("archive", StudentModule))
            self.assertFalse(router.allow_migrate_model(HISTORY, StudentModuleHistory))

    @isolate_apps("kvstore")
    def test_another_app_s_model_of_the_same_name_is_not_an_entry(self):
        class StudentModuleHistory(models.Model):
            class Meta:
                app_label = "xblock_kvstore"

        self.assertEqual(routed(StudentModuleHistory), ("default", "default", ("default",)))

    def test_a_model_beside_the_state_follows_the_state(self):
        with model_beside_state() as model:
            self.assertEqual(routed(model), ("default", "default", ("default",)))
            self.assertEqual(routed(StudentModuleHistory), (HISTORY, HISTORY, (HISTORY,)))

    def test_an_operation_on_a_model_that_is_not_known_runs_among_the_entries(self):
        for model_name in ("Gone", None):
            self.assertTrue(router.allow_migrate(HISTORY, "xblock_history", model_name=model_name))
            self.assertFalse(router.allow_migrate("default", "xblock_history", model_name=model_name))

    def test_relations_between_the_databases_are_refused(self):
        entry, state = StudentModuleHistory(), StudentModule()
        with model_beside_state() as model:
            for one, other, allowed in (
                (entry, entry, True),
                (entry, state, False),
                (state, entry, False),
                (entry, model(), False),
                (entry, User(), False),
                (state, User(), True),
                (model(), state, True),
            ):
                with self.subTest(one=one, other=other):
                    self.assertEqual(router.allow_relation(one, other), allowed)

    @override_settings(HISTORY_DATABASE_ALIAS="default")
    def test_relations_within_one_database_are_not_its_business(self):
        self.assertTrue(router.allow_relation(StudentModuleHistory(), StudentModule()))


@override_settings(
    MIGRATION_MODULES={
        "xblock_history": "tests.later.history.migrations",
        "xblock_kvstore": "tests.later.kvstore.migrations",
    }
)
class Migrations(TransactionTestCase):
    """Outside a transaction, because migrations make tables, which commits on some databases."""

    databases = {"default", HISTORY}
    newest = (("xblock_history", "0003_beside_state"), ("xblock_kvstore", "0002_code_and_sql"))
    first = (("xblock_history", "0001_initial"), ("xblock_kvstore", "0001_initial"))

    def setUp(self):
        self.enterContext(model_beside_state())
        self.addCleanup(self.migrate, self.first)
        self.addCleanup(RAN.clear)

    def migrate(self, targets):
        """Migrate both databases; return the operations that ran, and their aliases."""
        RAN.clear()
        for alias in ("default", HISTORY):
            MigrationExecutor(connections[alias]).migrate(list(targets))
        return sorted(RAN)

    def tables(self):
        return {alias: set(connections[alias].introspection.table_names()) for alias in ("default", HISTORY)}

    def test_each_operation_runs_where_its_model_is_and_nowhere_else(self):
        before = self.tables()
        ran = [("beside", "default"), *[("code", HISTORY)] * 3, *[("state", "default")] * 2]
        self.assertEqual(self.migrate(self.newest), ran)
        made = {alias: tables - before[alias] for alias, tables in self.tables().items()}
        self.assertEqual(made["default"], {"xblock_history_besidestate", "beside_sql", "state_sql"})
        self.assertEqual(made[HISTORY], {"entry_sql", "entry_sql_with_hint"})

        self.assertEqual(self.migrate(self.first), [(f"{what} undone", alias) for what, alias in ran])
        self.assertEqual(self.tables(), before)


class OneDatabase(TransactionTestCase):
    """Outside a transaction, because the table of the entries is made in ``default`` and removed again."""

    databases = {"default", HISTORY}

    def setUp(self):
        # An installation with two databases changes to one database, and back.
        self.migrate("zero")
        self.addCleanup(self.migrate)
        self.enterContext(override_settings(HISTORY_DATABASE_ALIAS="default"))
        self.migrate()
        self.addCleanup(self.migrate, "zero")
        self.user = UserFactory()

    def migrate(self, *target, **options):
        call_command("migrate", "xblock_history", *target, database="default", verbosity=0, **options)

    def test_state_and_history_share_the_database_with_or_without_the_router(self):
        client = DjangoXBlockUserStateClient(self.user)
        for routers in ([ROUTER], []):
            with self.subTest(routers=routers), override_settings(DATABASE_ROUTERS=routers):
                block = usage(f"with {len(routers)} routers".replace(" ", "-"))
                with assert_queries(default=5):
                    client.set(self.user.username, block, {"answer": 1})
                client.delete(self.user.username, block)
                states = [entry.state for entry in client.get_history(self.user.username, block)]
                self.assertEqual(states, [None, {"answer": 1}])
                self.assertEqual({entry._state.db for entry in timeline(self.user, block)}, {"default"})

    def test_a_rollback_undoes_the_entry_as_well(self):
        with self.assertRaises(ZeroDivisionError), transaction.atomic():
            write(self.user, 1)
            _ = 1 / 0
        self.assertFalse(StudentModuleHistory.objects.exists())
        write(self.user, 2)
        self.assertEqual([entry.version for entry in timeline(self.user, usage("block"))], [1])

    def test_a_missing_table_costs_the_write_and_not_the_connection(self):
        self.migrate("zero")
        with self.assertRaises(HistoryUnavailable):
            write(self.user, 1)
        self.assertFalse(StudentModule.objects.exists())

    def test_the_checks_pass(self):
        self.assertEqual(run_checks(include_deployment_checks=False, databases=["default"]), [])
        call_command("check", "--tag=database", "--deploy", "--database=default", verbosity=0)
