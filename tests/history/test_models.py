"""Entries can be added and read. No instance or query set changes or removes one."""

from asgiref.sync import async_to_sync
from django.db import IntegrityError, connections, transaction
from django.test import SimpleTestCase, TestCase

from history.api import AppendOnly, CorruptState, as_of, timeline
from history.models import PendingHistory, StudentModuleHistory
from history.testing import history_unavailable
from kvstore.models import StudentModule
from kvstore.testing import StudentModuleFactory, assert_queries
from tests.history.entries import entry, identity_of
from tests.kvstore.cache.blocks import usage


class AppendOnlyEntries(TestCase):
    databases = {"default", "student_module_history"}

    @classmethod
    def setUpTestData(cls):
        cls.row = StudentModuleFactory(module_state_key=usage("block"), state='{"answer":1}')

    def new(self, version=2, **columns):
        row = self.row
        return StudentModuleHistory(
            student_module_id=row.pk,
            version=version,
            action="changed",
            created=row.modified,
            **identity_of(row),
            **columns,
        )

    def stored(self):
        return list(StudentModuleHistory.objects.order_by("version").values_list())

    def test_changes_and_removals_of_entries_are_refused_without_a_query(self):
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

    def test_bulk_create_is_refused_with_every_option_to_update(self):
        named = connections["student_module_history"].features.supports_update_conflicts_with_target
        key = ["student_module_id", "version"] if named else None
        with assert_queries(), self.assertRaises(AppendOnly):
            StudentModuleHistory.objects.bulk_create([self.new(1)], None, False, True, ["state"], key)

    def test_the_base_manager_refuses_too(self):
        with assert_queries(), self.assertRaises(AppendOnly):
            StudentModuleHistory._base_manager.update(state=None)

    def test_operations_that_would_change_a_found_entry_are_refused(self):
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

    def test_an_entry_has_a_readable_text(self):
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


class Fields(SimpleTestCase):
    def test_they_are_the_parsed_state(self):
        for model in (StudentModuleHistory, PendingHistory):
            with self.subTest(model=model):
                self.assertEqual(entry(state='{"a":[1,null]}', model=model).fields, {"a": [1, None]})
        self.assertEqual((entry(state="{}").fields, entry(state=None).fields), ({}, {}))

    def test_each_access_parses_the_state_again(self):
        one = entry(state='{"a":[]}')
        one.fields["a"].append(1)
        self.assertEqual(one.fields, {"a": []})

    def test_the_error_names_an_entry_that_is_not_a_json_object(self):
        for state in ("", "{", "[]", "null", '{"a":NaN}', "[" * 100_000):
            with (
                self.subTest(state=state[:10]),
                self.assertRaisesRegex(CorruptState, r"xblock_history_studentmodulehistory .*\(id 12\)") as caught,
            ):
                entry(state=state, pk=12).fields  # noqa: B018  the property raises
            self.assertEqual(caught.exception.row_ids, (12,))


class FieldsOfStoredEntries(TestCase):
    databases = {"default", "student_module_history"}

    def test_of_a_timeline_and_at_a_moment(self):
        row = StudentModuleFactory(state='{"a": 1}')
        with history_unavailable():
            row.state = '{"a": 2}'
            row.save()
        entries = list(timeline(row.student, row.module_state_key))
        self.assertEqual([entry.fields for entry in entries], [{"a": 2}, {"a": 1}])
        for one in entries:
            self.assertEqual(as_of(row.student, row.module_state_key, one.created).fields, one.fields)
