"""Saving one StudentModule: its changes are merged with concurrent changes, as one version."""

import datetime
import json
from unittest import mock

from django.test import TestCase
from django.utils import timezone

from kvstore.api import CorruptState
from kvstore.models import StudentModule
from kvstore.querysets import unguarded
from kvstore.signals import state_written
from kvstore.testing import StudentModuleFactory, UserFactory, assert_queries
from tests.kvstore.cache.blocks import usage


class SavingTestCase(TestCase):
    """Everything rolls back on both aliases."""

    databases = {"default", "student_module_history"}

    @classmethod
    def setUpTestData(cls):
        cls.user = UserFactory()
        cls.pk = StudentModuleFactory(
            student=cls.user, module_state_key=usage("block"), state='{"a":1,"b":1}', grade=1.0
        ).pk

    def setUp(self):
        self.announced = []
        state_written.connect(self.remember)
        self.addCleanup(state_written.disconnect, self.remember)

    def remember(self, versions, **kwargs):
        self.announced += [(version.version, version.action) for version in versions]

    def loaded(self):
        return StudentModule.objects.get(pk=self.pk)

    def assert_stored(self, version, row=None, **columns):
        stored = self.loaded()
        self.assertEqual(stored.version, version)
        for name, value in columns.items():
            found = getattr(stored, name)
            self.assertEqual(json.loads(found) if name == "state" else found, value)
        if row is not None:
            for field in StudentModule._meta.concrete_fields:
                self.assertEqual(getattr(row, field.attname), getattr(stored, field.attname), field.name)


class Merging(SavingTestCase):
    def test_two_instances_that_change_different_fields_both_win(self):
        first, second = self.loaded(), self.loaded()
        first.state, second.state = '{"a":2,"b":1}', '{"a":1,"b":2,"c":2}'
        first.save()
        second.save()
        self.assert_stored(3, second, state={"a": 2, "b": 2, "c": 2})

    def test_the_later_of_two_changes_of_one_field_stays(self):
        first, second = self.loaded(), self.loaded()
        first.state, second.state = '{"a":"first","b":1}', '{"a":"second","b":1}'
        first.save()
        second.save()
        self.assert_stored(3, second, state={"a": "second", "b": 1})

    def test_a_field_that_one_removed_is_not_brought_back_by_the_other(self):
        first, second = self.loaded(), self.loaded()
        first.state, second.state = '{"a":1}', '{"a":2,"b":1}'
        first.save()
        second.save()
        self.assert_stored(3, second, state={"a": 2})

    def test_a_removal_keeps_the_fields_that_another_instance_wrote(self):
        first, second = self.loaded(), self.loaded()
        first.state, second.state = '{"a":1,"b":1,"c":1}', '{"b":1}'
        first.save()
        second.save()
        self.assert_stored(3, second, state={"b": 1, "c": 1})

    def test_true_and_one_are_different_answers(self):
        first, second = self.loaded(), self.loaded()
        first.state, second.state = '{"a":1,"b":2}', '{"a":true,"b":1}'
        first.save()
        second.save()
        self.assertIs(json.loads(self.loaded().state)["a"], True)

    def test_a_score_and_a_state_saved_by_two_both_win(self):
        for scored_first in (True, False):
            scored, answered = self.loaded(), self.loaded()
            scored.grade, scored.max_grade = scored.grade + 1, 10.0
            answered.state = json.dumps({"a": scored.version})
            for row in (scored, answered) if scored_first else (answered, scored):
                row.save()
            with self.subTest(scored_first=scored_first):
                self.assert_stored(scored.version if not scored_first else answered.version, grade=scored.grade)
                self.assert_stored(self.loaded().version, state=json.loads(answered.state))

    def test_a_state_set_to_null_is_null(self):
        first, second = self.loaded(), self.loaded()
        first.state, second.state = '{"a":5}', None
        first.save()
        second.save()
        self.assertIsNone(self.loaded().state)

    def test_a_corrupt_state_that_others_left_is_not_merged_over(self):
        row = self.loaded()
        unguarded(StudentModule, "default").filter(pk=self.pk).update(state="nonsense")
        row.state = '{"a":2}'
        with self.assertRaises(CorruptState) as caught:
            row.save()
        self.assertEqual(caught.exception.row_ids, (self.pk,))

    def test_a_corrupt_state_can_be_corrected_by_saving_a_good_one(self):
        unguarded(StudentModule, "default").filter(pk=self.pk).update(state="nonsense")
        row = self.loaded()
        row.state = '{"a":2}'
        row.save()
        self.assert_stored(2, row, state={"a": 2})


class Versions(SavingTestCase):
    def test_a_save_is_one_version_and_its_announcement(self):
        row = self.loaded()
        row.state, row.grade, row.max_grade = '{"a":2}', 2.0, 3.0
        row.save()
        self.assert_stored(2, row, state={"a": 2}, grade=2.0, max_grade=3.0)
        self.assertEqual(self.announced, [(2, "changed")])

    def test_saving_the_stored_values_makes_no_version(self):
        for state in ('{"a":1,"b":1}', '{"a": 1, "b": 1}'):
            row = self.loaded()
            row.state = state
            with self.subTest(state=state), assert_queries(default=3):
                row.save()
        self.assertEqual(self.announced, [])
        self.assert_stored(1)

    def test_modified_goes_forward_though_the_clock_goes_back(self):
        row = self.loaded()
        moments = [row.modified]
        for days in (0, 365, 365):
            with mock.patch.object(timezone, "now", return_value=row.modified - datetime.timedelta(days)):
                row.grade += 1
                row.save()
            moments.append(self.loaded().modified)
        self.assertEqual(moments, sorted(set(moments)))

    def test_the_version_and_the_times_cannot_be_set(self):
        row = self.loaded()
        row.version, row.modified, row.created, row.grade = 40, timezone.now(), timezone.now(), 5.0
        row.save()
        self.assert_stored(2, row, grade=5.0)

    def test_done_is_stored_without_a_version(self):
        row = self.loaded()
        row.done = StudentModule.Done.FINISHED
        row.save()
        self.assert_stored(1, row, done="f")
        self.assertEqual(self.announced, [])

    def test_only_changed_columns_are_written(self):
        first, second = self.loaded(), self.loaded()
        first.done = "f"
        first.save()
        second.grade = 5.0
        second.save()
        self.assert_stored(2, done="f", grade=5.0)
