"""Saving one StudentModule: the columns it writes and refuses, and rows that are new or deleted."""

import json
from contextlib import contextmanager

from django.db import DatabaseError, IntegrityError, transaction

from kvstore.api import UnrecordedWrite, UnstorableScore, UnstorableValue
from kvstore.models import StudentModule
from kvstore.signals import state_written
from kvstore.testing import COURSE_KEY, UserFactory, assert_queries
from tests.kvstore.cache.blocks import usage
from tests.kvstore.versioning.test_instances import SavingTestCase


class Columns(SavingTestCase):
    def test_only_the_columns_named_are_written(self):
        for names in (["grade"], ("grade",), {"grade"}, iter(["grade"])):
            row = self.loaded()
            row.grade, row.max_grade = row.grade + 1, (row.max_grade or 0) + 1
            row.save(update_fields=names)
            with self.subTest(names=names):
                self.assertEqual((self.loaded().grade, self.loaded().max_grade), (row.grade, None))

    def test_all_columns_named_are_written_though_they_can_be_read_once_only(self):
        row = self.loaded()
        row.state, row.grade, row.max_grade = '{"a":2}', 2.0, 3.0
        row.save(update_fields=iter(["max_grade", "grade", "state"]))
        self.assert_stored(2, row, state={"a": 2}, grade=2.0, max_grade=3.0)

    def test_a_change_that_was_not_named_is_written_by_the_next_save(self):
        for name, value in (("done", "f"), ("state", '{"a":9}'), ("max_grade", 9.0)):
            row = self.loaded()
            setattr(row, name, value)
            row.grade += 1
            row.save(update_fields=["grade"])
            row.save()
            with self.subTest(name=name):
                self.assertEqual(getattr(self.loaded(), name), value)

    def test_a_column_that_is_none_is_refused(self):
        row = self.loaded()
        row.state = '{"a":2}'
        with self.assertRaises(ValueError):
            row.save(update_fields=["stat"])
        with self.assertRaisesMessage(ValueError, "stat"):
            row.save(force_insert=True, update_fields=["stat"])
        self.assert_stored(1)

    def test_the_learner_and_block_of_a_row_cannot_be_changed(self):
        for name, value in (
            ("student", UserFactory()),
            ("student_id", UserFactory().pk),
            ("course_id", "course-v1:Org+Course+Other"),
            ("module_state_key", usage("other")),
            ("module_type", "video"),
        ):
            for row in (self.loaded(), StudentModule.objects.only("state").get(pk=self.pk)):
                setattr(row, name, value)
                row.grade = 9.0
                with self.subTest(name=name, deferred=name not in row.loaded), self.assertRaises(UnrecordedWrite):
                    row.save()
        self.assert_stored(1, grade=1.0)

    def test_deferred_columns_are_neither_lost_nor_loaded_by_a_save(self):
        row = StudentModule.objects.only("id").get(pk=self.pk)
        row.grade = 5.0
        with assert_queries(default=4, student_module_history=1):
            row.save()
        self.assert_stored(2, row, state={"a": 1, "b": 1}, grade=5.0)
        row = StudentModule.objects.defer("state").get(pk=self.pk)
        row.state = '{"c":1}'
        row.save()
        self.assert_stored(3, row, state={"a": 1, "b": 1, "c": 1})

    def test_changes_are_compared_with_the_refreshed_columns(self):
        for fields in (None, ["state"]):
            row, other = self.loaded(), self.loaded()
            other.state = json.dumps({"a": other.version, "b": 1})
            other.save()
            row.state = '{"a":"dropped"}'
            row.refresh_from_db(fields=fields)
            row.grade = other.version
            row.save()
            with self.subTest(fields=fields):
                self.assert_stored(row.version, row, state=json.loads(other.state))

    def test_values_that_no_row_can_hold_are_refused_before_anything_is_written(self):
        for name, value, error in (
            ("state", "nonsense", UnstorableValue),
            ("state", "[]", UnstorableValue),
            ("state", '{"a": NaN}', UnstorableValue),
            ("state", '{"a": 1e999}', UnstorableValue),
            ("grade", float("nan"), UnstorableScore),
            ("grade", "1", UnstorableScore),
            ("max_grade", 10**400, UnstorableScore),
        ):
            row = self.loaded()
            setattr(row, name, value)
            with self.subTest(name=name, value=str(value)[:20]), assert_queries(), self.assertRaises(error):
                row.save()
            new = StudentModule(student=self.user, course_id=COURSE_KEY, module_state_key=usage("new"))
            setattr(new, name, value)
            with self.subTest(new=name, value=str(value)[:20]), assert_queries(), self.assertRaises(error):
                new.save()


class Rows(SavingTestCase):
    def new(self, **columns):
        identity = {"student": self.user, "course_id": COURSE_KEY, "module_state_key": usage("new")}
        return StudentModule(**identity, module_type="problem", **columns)

    def test_a_new_row_is_version_one(self):
        row = self.new(state='{"a":1}', version=7)
        row.save()
        self.assertEqual((row.version, row.created, self.announced), (1, row.modified, [(1, "created")]))
        row.grade = 1.0
        row.save()
        self.assertEqual(self.announced, [(1, "created"), (2, "changed")])

    def test_a_second_row_for_one_block_is_refused(self):
        self.new().save()
        for force_insert in (False, True):
            with self.subTest(force_insert=force_insert), self.assertRaises(IntegrityError), transaction.atomic():
                self.new().save(force_insert=force_insert)
        copied = self.loaded()
        with self.assertRaises(IntegrityError):
            copied.save(force_insert=True)
        self.assertEqual(StudentModule.objects.count(), 2)

    def test_a_row_that_was_deleted_meanwhile_is_not_brought_back(self):
        row = self.loaded()
        self.loaded().delete()
        row.grade = 5.0
        with self.assertRaisesMessage(DatabaseError, "was deleted meanwhile"):
            row.save()
        self.assertFalse(StudentModule.objects.exists())

    def test_a_save_that_failed_can_be_tried_again(self):
        for row in (self.new(state='{"a":1}'), self.loaded()):
            before = row.version
            row.grade = 7.0
            with self.subTest(new=not before):
                with self.refused(), self.assertRaisesMessage(DatabaseError, "refused"):
                    row.save()
                row.save()
                self.assertEqual(row.version, before + 1)
                self.assertEqual(StudentModule.objects.get(pk=row.pk).grade, 7.0)

    @contextmanager
    def refused(self):
        def refuse(**kwargs):
            raise DatabaseError("refused")

        state_written.connect(refuse)
        try:
            yield
        finally:
            state_written.disconnect(refuse)

    def test_django_ways_to_make_or_change_one_row_are_versions(self):
        identity = {"student": self.user, "course_id": COURSE_KEY, "module_state_key": usage("new")}
        row, created = StudentModule.objects.get_or_create(**identity, defaults={"module_type": "problem"})
        self.assertTrue(created)
        self.assertEqual(StudentModule.objects.get_or_create(**identity), (row, False))
        row, created = StudentModule.objects.update_or_create(**identity, defaults={"grade": 2.0})
        self.assertFalse(created)
        row = StudentModule.objects.create(**identity | {"module_state_key": usage("third")}, module_type="problem")
        self.assertEqual(self.announced, [(1, "created"), (2, "changed"), (1, "created")])
