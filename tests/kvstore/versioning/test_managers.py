"""No manager of StudentModule writes a recorded column without a version. Django's own use of managers still works."""

import json
import tempfile
from pathlib import Path

from asgiref.sync import async_to_sync
from django.core.management import call_command
from django.db import models
from django.db.models import F
from django.test import TestCase
from django.test.utils import isolate_apps

from history.api import timeline
from kvstore.api import UnrecordedWrite
from kvstore.models import StudentModule
from kvstore.testing import COURSE_KEY, StudentModuleFactory, UserFactory, assert_queries
from tests.kvstore.cache.blocks import usage


class ManagerTestCase(TestCase):
    """TestCase rolls back both aliases."""

    databases = {"default", "student_module_history"}

    @classmethod
    def setUpTestData(cls):
        cls.user = UserFactory()
        cls.row = StudentModuleFactory(
            student=cls.user, module_state_key=usage("block"), state='{"a":1}', grade=1.0, max_grade=2.0
        )

    def stored(self):
        return StudentModule.objects.values().get(pk=self.row.pk)

    def versions(self):
        return [
            (entry.version, entry.action, json.loads(entry.state or "null"))
            for entry in timeline(self.user, usage("block"))
        ]


def note_model():
    """Return a model of a host project with relations to StudentModule. It has no table."""
    with isolate_apps("kvstore") as apps:
        apps.register_model("xblock_kvstore", StudentModule)

        class Note(models.Model):
            row = models.ForeignKey(StudentModule, models.CASCADE, related_name="+")
            rows = models.ManyToManyField(StudentModule, related_name="+")

            class Meta:
                app_label = "xblock_kvstore"

    return Note


class RefusedWrites(ManagerTestCase):
    def test_no_manager_updates_a_recorded_column(self):
        managers = {
            "objects": StudentModule.objects,
            "_default_manager": StudentModule._default_manager,
            "_base_manager": StudentModule._base_manager,
            "_base_manager.filter()": StudentModule._base_manager.filter(pk=self.row.pk),
            "_base_manager.using()": StudentModule._base_manager.using("default"),
            "_base_manager.db_manager()": StudentModule._base_manager.db_manager("default"),
            "_base_manager.select_for_update()": StudentModule._base_manager.select_for_update(),
            "a related manager": note_model()(pk=1).rows,
        }
        before = self.stored()
        for name, manager in managers.items():
            for operation, write in self.writes(manager).items():
                with self.subTest(manager=name, operation=operation):
                    with assert_queries(), self.assertRaisesMessage(UnrecordedWrite, "set_many or delete_many"):
                        write()
                    self.assertEqual(self.stored(), before)

    def writes(self, manager):
        return {
            "update(state)": lambda: manager.update(state='{"a":2}'),
            "update(grade)": lambda: manager.update(grade=F("grade") + 1),
            "update(version)": lambda: manager.update(version=F("version") + 1),
            "aupdate(state)": lambda: async_to_sync(manager.all().aupdate)(state='{"a":2}'),
            "bulk_update(state)": lambda: manager.bulk_update([self.row], ["state"]),
            "abulk_update(state)": lambda: async_to_sync(manager.all().abulk_update)([self.row], ["state"]),
        }

    def test_the_base_manager_refuses_to_create_over_rows_that_it_does_not_see(self):
        new = StudentModuleFactory.build(student=self.user, module_state_key=usage("block"), state='{"a":2}')
        for options in ({"ignore_conflicts": True}, {"update_conflicts": True, "update_fields": ["state"]}):
            with self.subTest(options=options), assert_queries(), self.assertRaises(UnrecordedWrite):
                StudentModule._base_manager.bulk_create([new], **options)


class RecordedWrites(ManagerTestCase):
    def test_update_or_create_writes_a_version(self):
        key = {"student": self.user, "course_id": COURSE_KEY, "module_state_key": usage("block")}
        for number, update_or_create in enumerate(
            (
                StudentModule.objects.update_or_create,
                StudentModule._base_manager.update_or_create,
                async_to_sync(StudentModule._base_manager.all().aupdate_or_create),
            ),
            start=2,
        ):
            row, created = update_or_create(**key, defaults={"state": json.dumps({"a": number})})
            self.assertEqual((row.pk, created), (self.row.pk, False))
            self.assertEqual(self.versions()[0], (number, "changed", {"a": number}))

    def test_get_or_create_writes_a_version(self):
        key = {"student": self.user, "course_id": COURSE_KEY, "module_state_key": usage("new")}
        row, created = StudentModule._base_manager.get_or_create(**key, defaults={"state": "{}"})
        self.assertTrue(created)
        self.assertEqual([entry.version for entry in timeline(self.user, usage("new"))], [row.version])

    def test_rows_from_in_bulk_are_saved_as_versions(self):
        row = StudentModule._base_manager.in_bulk()[self.row.pk]
        row.state = '{"a":2}'
        async_to_sync(row.asave)()
        self.assertEqual(self.versions(), [(2, "changed", {"a": 2}), (1, "created", {"a": 1})])

    def test_a_query_set_of_the_base_manager_deletes_with_a_version(self):
        StudentModule._base_manager.filter(pk=self.row.pk).delete()
        self.assertEqual(self.versions(), [(2, "deleted", None), (1, "created", {"a": 1})])


class UseByDjango(ManagerTestCase):
    """Operations of Django itself through the base manager."""

    def test_save_writes_the_row_and_its_version(self):
        row = StudentModule.objects.get()
        for number, options in enumerate(({}, {"force_update": True}, {"update_fields": ["state"]}), start=2):
            row.state = json.dumps({"a": number})
            row.save(**options)
            self.assertEqual(json.loads(self.stored()["state"]), {"a": number})
            self.assertEqual(self.versions()[0], (number, "changed", {"a": number}))

    def test_an_instance_reads_its_row_again(self):
        row = StudentModule.objects.get()
        StudentModule.objects.update(done="f")
        row.refresh_from_db()
        self.assertEqual(row.done, "f")
        self.assertEqual(StudentModule.objects.only("id").get().state, '{"a":1}')

    def test_a_related_instance_is_read(self):
        self.assertEqual(note_model()(row_id=self.row.pk).row, self.row)

    def test_the_deletion_of_a_learner_deletes_the_rows_with_a_version(self):
        learner_id = self.user.pk
        self.user.delete()
        self.assertFalse(StudentModule.objects.exists())
        self.assertEqual([entry.action for entry in timeline(learner_id, usage("block"))], ["deleted", "created"])

    def test_a_dump_of_the_base_manager_is_loaded_as_it_was(self):
        before = self.stored()
        with tempfile.TemporaryDirectory() as directory:
            # JSON would cut times to milliseconds.
            file = Path(directory, "state.xml")
            call_command("dumpdata", "xblock_kvstore.studentmodule", "--all", format="xml", output=file, verbosity=0)
            call_command("loaddata", file, verbosity=0)
            self.assertEqual(self.stored(), before)
            StudentModule.objects.all().delete()
            call_command("loaddata", file, verbosity=0)
        self.assertEqual(self.stored(), before)
