"""docs/reference/personal-data.md and the models list the same columns, and its steps remove a learner."""

import re
from pathlib import Path

from django.apps import apps
from django.db import connections, router
from django.test import SimpleTestCase, TransactionTestCase, override_settings

from history.api import change_context
from history.models import Erasure, PendingHistory, StudentModuleHistory
from kvstore.api import DjangoXBlockUserStateClient
from kvstore.models import StudentModule
from kvstore.testing import PreferencesFactory, UserFactory, UserInfoFactory
from tests.history.commands import run_command
from tests.history.outages import history_outage, rolled_back
from tests.kvstore.cache.blocks import usage

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "personal-data.md"
SECTION = re.compile(r"^### `(\w+)`\n(.*?)(?=^##)", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| `(\w+)` \| (\w+) \| (.+) \|$", re.MULTILINE)
KINDS = {"person", "content", "activity", "text", "technical"}
MODELS = [model for label in ("xblock_kvstore", "xblock_history") for model in apps.get_app_config(label).get_models()]
TABLES_OF_LEARNERS = [model for model in MODELS if "student_id" in {field.column for field in model._meta.fields}]


def described():
    """Return the kind of each column by table, from the page."""
    sections = SECTION.findall(PAGE.read_text(encoding="utf-8"))
    return {table: {name: kind for name, kind, _ in ROW.findall(text)} for table, text in sections}


def columns(model):
    return [field.column for field in model._meta.get_fields() if field.concrete]


class Columns(SimpleTestCase):
    def test_the_page_describes_each_column_of_each_table_in_order(self):
        self.assertEqual(
            {table: list(kinds) for table, kinds in described().items()},
            {model._meta.db_table: columns(model) for model in MODELS},
        )

    def test_each_column_has_one_of_the_kinds(self):
        kinds = {kind for table in described().values() for kind in table.values()}
        self.assertEqual(kinds, KINDS)

    def test_the_docstring_of_each_model_names_its_columns_with_personal_data(self):
        for model in MODELS:
            with self.subTest(model=model.__name__):
                (sentence,) = re.findall(r"Personal data: (.+?)\.(?:\s|$)", model.__doc__, re.DOTALL)
                expected = {name for name, kind in described()[model._meta.db_table].items() if kind != "technical"}
                self.assertEqual(set(re.findall(r"``(\w+)``", sentence)), expected)


def rows_of(model, **values):
    return model._base_manager.filter(**values).count()


@override_settings(HISTORY_ON_DELETE="erase")
class Removal(TransactionTestCase):
    """TransactionTestCase, because entries are erased when the deletion of the learner commits."""

    databases = {"default", "student_module_history"}

    def setUp(self):
        self.learner, self.other = UserFactory(), UserFactory()
        self.learner_id = self.learner.pk
        self.write(self.learner, "present")

    def write(self, learner, block, **context):
        with change_context(**context):
            DjangoXBlockUserStateClient().set(learner.username, usage(block), {"answer": 1})

    def left(self):
        """Return the number of rows of the learner in each table that has any."""
        counts = {model.__name__: rows_of(model, student_id=self.learner_id) for model in TABLES_OF_LEARNERS}
        return {name: count for name, count in counts.items() if count}

    def run_statements(self):
        """Run the SQL of the page for the learner."""
        (block,) = re.findall(r"```sql\n(.+?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
        models = (StudentModuleHistory, PendingHistory)
        for model, statement in zip(models, block.strip().split("\n"), strict=True):
            with connections[router.db_for_write(model)].cursor() as cursor:
                cursor.execute(statement.replace("= 7;", f"= {self.learner_id}"))

    def test_the_deletion_of_the_user_removes_each_row_of_the_learner(self):
        PreferencesFactory(student=self.learner)
        UserInfoFactory(student=self.learner)
        with history_outage():
            self.write(self.learner, "pending")
        self.assertEqual(len(self.left()), len(TABLES_OF_LEARNERS))
        self.learner.delete()
        self.assertEqual(self.left(), {})
        self.assertEqual(Erasure.objects.count(), 2)

    def test_the_statements_remove_entries_of_rolled_back_versions_and_of_rows_deleted_earlier(self):
        with override_settings(HISTORY_ON_DELETE="keep"):
            self.write(self.learner, "earlier")
            StudentModule.objects.get(module_state_key=usage("earlier")).delete()
        with rolled_back():
            self.write(self.learner, "undone")
        self.learner.delete()
        self.assertEqual(self.left(), {"StudentModuleHistory": 3})
        self.run_statements()
        self.assertEqual(self.left(), {})
        self.assertEqual(run_command("verify_history").code, 0)

    def test_the_statements_remove_pending_entries(self):
        with history_outage():
            self.learner.delete()
        self.assertEqual(self.left(), {"StudentModuleHistory": 1, "PendingHistory": 1})
        self.run_statements()
        self.assertEqual(self.left(), {})

    def test_entries_of_other_learners_keep_the_id_of_the_actor(self):
        self.write(self.other, "other", actor=self.learner)
        self.learner.delete()
        self.assertEqual(rows_of(StudentModuleHistory, actor_id=self.learner_id), 1)
        self.assertEqual(run_command("verify_history").code, 0)

    @override_settings(HISTORY_ON_DELETE="keep")
    def test_by_default_the_entries_remain(self):
        self.learner.delete()
        self.assertEqual(self.left(), {"StudentModuleHistory": 2})
