"""Bulk writes of StudentModule are recorded as versions, or raise an error that names the alternative."""

import sqlite3

from django.db import IntegrityError, connection, models, transaction
from django.test import TestCase

from history.models import StudentModuleHistory
from kvstore.api import DjangoXBlockUserStateClient, UnrecordedWrite, UnstorableScore, UnstorableValue
from kvstore.models import StudentModule
from kvstore.testing import COURSE_KEY, StudentModuleFactory, UserFactory, assert_queries
from tests.kvstore.cache.blocks import usage


class BulkTestCase(TestCase):
    """Everything rolls back on both aliases."""

    databases = {"default", "student_module_history"}

    @classmethod
    def setUpTestData(cls):
        cls.user = UserFactory()

    def new(self, name, **columns):
        return StudentModule(
            student=self.user,
            course_id=COURSE_KEY,
            module_state_key=usage(name),
            module_type="problem",
            **columns,
        )


class BulkChanges(BulkTestCase):
    GUARDED = {
        "state": "{}",
        "grade": 1.0,
        "max_grade": models.F("grade"),
        "version": models.F("version") + 1,
        "modified": None,
        "student": 1,
        "student_id": 1,
        "course_id": COURSE_KEY,
        "module_state_key": usage("other"),
        "module_type": "video",
        "id": 5,
        "pk": 5,
    }

    def test_columns_of_a_version_are_refused_and_the_error_names_the_method_to_call(self):
        row = StudentModuleFactory(student=self.user)
        for name, value in self.GUARDED.items():
            for refused in (
                lambda name=name, value=value: StudentModule.objects.update(done="f", **{name: value}),
                lambda name=name: StudentModule.objects.bulk_update([row], ["done", name]),
            ):
                with (
                    self.subTest(name=name),
                    assert_queries(),
                    self.assertRaisesMessage(UnrecordedWrite, "set_many or delete_many"),
                ):
                    refused()

    def test_done_may_be_changed_in_bulk(self):
        rows = [StudentModuleFactory(student=self.user) for _ in range(3)]
        self.assertEqual(StudentModule.objects.filter(pk=rows[0].pk).update(done="f"), 1)
        for row in rows[1:]:
            row.done = "i"
        self.assertEqual(StudentModule.objects.bulk_update(rows[1:], ["done"]), 2)
        stored = StudentModule.objects.order_by("id").values_list("done", "version")
        self.assertEqual(list(stored), [("f", 1), ("i", 1), ("i", 1)])


class BulkCreation(BulkTestCase):
    def test_rows_are_created_as_their_first_version_and_recorded(self):
        rows = [self.new(f"block{number}", state=f'{{"n":{number}}}', grade=number) for number in range(5)]
        for batch_size, start in ((None, 0), (2, 3)):
            chosen = rows[start : start + 3]
            with self.subTest(batch_size=batch_size):
                self.assertEqual(StudentModule.objects.bulk_create(iter(chosen), batch_size=batch_size), chosen)
        client = DjangoXBlockUserStateClient()
        for number, row in enumerate(rows):
            stored = StudentModule.objects.get(module_state_key=row.module_state_key)
            self.assertEqual((stored.pk, stored.version, stored.created), (row.pk, 1, row.modified))
            (entry,) = client.get_history(self.user.username, row.module_state_key)
            self.assertEqual((entry.state, entry.updated), ({"n": number}, stored.modified))

    def test_nothing_to_create_takes_no_statement_of_its_own(self):
        self.assertEqual(StudentModule.objects.bulk_create([]), [])

    def test_rows_keep_the_ids_that_they_are_given(self):
        row = self.new("block", pk=4_000_000_000)
        StudentModule.objects.bulk_create([row])
        self.assertEqual(row.pk, 4_000_000_000)
        self.assertEqual(StudentModule.objects.get().pk, 4_000_000_000)
        self.assertEqual(StudentModuleHistory.objects.get().student_module_id, 4_000_000_000)

    def test_more_rows_are_created_than_one_statement_can_take(self):
        if connection.vendor == "sqlite":
            # The default limit of SQLite.
            self.addCleanup(connection.connection.setlimit, *self.limit_parameters(32766))
        rows = [self.new(f"block{number}") for number in range(3500)]
        StudentModule.objects.bulk_create(rows)
        self.assertEqual(StudentModule.objects.count(), 3500)

    @staticmethod
    def limit_parameters(limit):
        name = sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER
        return name, connection.connection.setlimit(name, limit)

    def test_one_row_that_is_there_already_keeps_all_others_from_being_created(self):
        StudentModuleFactory(student=self.user, module_state_key=usage("there"))
        for batch_size in (None, 1):
            with (
                self.subTest(batch_size=batch_size),
                self.assertRaises(IntegrityError),
                transaction.atomic(),
            ):
                StudentModule.objects.bulk_create([self.new("new"), self.new("there")], batch_size=batch_size)
        self.assertEqual(StudentModule.objects.count(), 1)

    def test_a_value_that_no_row_can_hold_keeps_all_others_from_being_created(self):
        for columns, error in (({"state": "nonsense"}, UnstorableValue), ({"grade": float("inf")}, UnstorableScore)):
            with self.subTest(columns=columns), assert_queries(), self.assertRaises(error):
                StudentModule.objects.bulk_create([self.new("good"), self.new("bad", **columns)])

    def test_a_batch_is_at_least_one_row(self):
        for batch_size in (0, -1):
            with self.subTest(batch_size=batch_size), assert_queries(), self.assertRaises(ValueError):
                StudentModule.objects.bulk_create([self.new(f"block{batch_size}")], batch_size=batch_size)

    def test_creation_that_ignores_or_updates_existing_rows_is_refused(self):
        for options in (
            {"ignore_conflicts": True},
            {"update_conflicts": True, "update_fields": ["state"], "unique_fields": ["id"]},
        ):
            with (
                self.subTest(options=options),
                assert_queries(),
                self.assertRaisesMessage(UnrecordedWrite, "DjangoXBlockUserStateClient.set_many"),
            ):
                StudentModule.objects.bulk_create([self.new("block")], **options)
