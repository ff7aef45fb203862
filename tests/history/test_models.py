"""Entries are added and read; neither an instance nor a query set changes or removes one."""

from asgiref.sync import async_to_sync
from django.db import IntegrityError, connections, transaction
from django.test import TestCase

from history.api import AppendOnly
from history.models import StudentModuleHistory
from kvstore.models import StudentModule
from kvstore.testing import StudentModuleFactory, assert_queries
from tests.kvstore.cache.blocks import usage


class AppendOnlyEntries(TestCase):
    databases = {"default", "student_module_history"}

    @classmethod
    def setUpTestData(cls):
        cls.row = StudentModuleFactory(module_state_key=usage("block"), state='{"answer":1}')

    def new(self, version=2, **columns):
        row = self.row
        return StudentModuleHistory(
            student_module_id=row.pk, version=version, action="changed", created=row.modified, **row.identity, **columns
        )

    def stored(self):
        return list(StudentModuleHistory.objects.order_by("version").values_list())

    def test_what_would_change_or_remove_an_entry_is_refused_before_it_asks_the_database(self):
        entries = StudentModuleHistory.objects.all()
        entry = entries.get()
        entry.state = '{"answer":2}'
        conflict = {
            "update_conflicts": True,
            "unique_fields": ["student_module_id", "version"],
            "update_fields": ["state"],
        }
        operations = {
            "save()": entry.save,
            "save(update_fields)": lambda: entry.save(update_fields=["state"]),
            "save(force_update)": lambda: entry.save(force_update=True),
            "asave()": lambda: async_to_sync(entry.asave)(),
            "delete()": entry.delete,
            "adelete()": lambda: async_to_sync(entry.adelete)(),
            "update() of a query set": lambda: entries.update(state=None),
            "update() of the default manager": lambda: StudentModuleHistory._default_manager.update(state=None),
            "update() of the other alias": lambda: entries.using("student_module_history").update(state=None),
            "aupdate()": lambda: async_to_sync(entries.aupdate)(state=None),
            "delete() of a query set": lambda: entries.filter(version=1).delete(),
            "bulk_update()": lambda: entries.bulk_update([entry], ["state"]),
            "bulk_create(update_conflicts)": lambda: entries.bulk_create([self.new(1)], **conflict),
        }
        before = self.stored()
        for name, operation in operations.items():
            with self.subTest(name):
                with assert_queries(), self.assertRaisesRegex(AppendOnly, "cannot be changed or removed"):
                    operation()
                self.assertEqual(self.stored(), before)

    def test_bulk_create_is_refused_however_it_is_told_to_update(self):
        named = connections["student_module_history"].features.supports_update_conflicts_with_target
        key = ["student_module_id", "version"] if named else None
        with assert_queries(), self.assertRaises(AppendOnly):
            StudentModuleHistory.objects.bulk_create([self.new(1)], None, False, True, ["state"], key)

    def test_the_base_manager_refuses_too(self):
        with assert_queries(), self.assertRaises(AppendOnly):
            StudentModuleHistory._base_manager.update(state=None)

    def test_what_would_change_an_entry_that_it_finds_is_refused(self):
        before = self.stored()
        key = {"student_module_id": self.row.pk, "version": 1}
        with self.assertRaises(AppendOnly):
            StudentModuleHistory.objects.update_or_create(**key, defaults={"state": None})
        self.assertEqual(self.stored(), before)

    def test_an_instance_with_the_id_of_an_entry_does_not_overwrite_it(self):
        (stored,) = self.stored()
        with self.assertRaises(IntegrityError), transaction.atomic(using="student_module_history"):
            self.new(2, id=stored[0]).save()
        self.assertEqual(self.stored(), [stored])

    def test_entries_are_added_one_by_one_in_bulk_or_where_missing(self):
        self.new(2).save()
        StudentModuleHistory.objects.bulk_create([self.new(3), self.new(4)])
        StudentModuleHistory.objects.bulk_create([self.new(4), self.new(5)], ignore_conflicts=True)
        self.assertEqual([columns[2] for columns in self.stored()], [1, 2, 3, 4, 5])

    def test_an_entry_says_what_it_is(self):
        entry = StudentModuleHistory.objects.get()
        self.assertEqual(str(entry), f"version 1 of learner {self.row.student_id}, {usage('block')}")

    def test_an_entry_is_of_no_row_in_another_database(self):
        fields = StudentModuleHistory._meta.get_fields()
        self.assertEqual([field.name for field in fields if field.is_relation], [])

    def test_keys_and_ids_have_64_bits(self):
        large = 2**63 - 1
        entry = self.new(large, actor_id=large)
        entry.student_module_id = entry.student_id = large
        entry.save()
        found = StudentModuleHistory.objects.get(student_module_id=large, version=large)
        self.assertEqual((found.actor_id, found.student_id), (large, large))
        for model in (StudentModule, StudentModuleHistory):
            self.assertEqual(model._meta.pk.get_internal_type(), "BigAutoField")
