"""Rows without instances have the same values as instances."""

from unittest.mock import patch

from django.db import connection
from django.test import TestCase

from kvstore.api import DjangoXBlockUserStateClient
from kvstore.keys import block_address
from kvstore.models import StudentModule
from kvstore.testing import COURSE_KEY, StudentModuleFactory, UserFactory
from kvstore.versioning.rows import lock
from kvstore.versioning.versions import COLUMNS
from tests.kvstore.cache.blocks import usage


class Rows(TestCase):
    databases = {"default", "student_module_history"}

    def setUp(self):
        self.user = UserFactory()
        self.client = DjangoXBlockUserStateClient(self.user)

    def test_they_have_every_column_of_the_model(self):
        self.assertEqual(set(COLUMNS), {field.attname for field in StudentModule._meta.concrete_fields})

    def test_a_locked_row_equals_an_instance_of_it(self):
        stored = StudentModuleFactory(student=self.user, grade=0.5, max_grade=2.0, state='{"answer":1}', done="f")
        address = block_address(stored.module_state_key)
        rows = lock(StudentModule, self.user.pk, [address], "default")
        self.assertEqual(rows, {address[:2]: StudentModule.objects.get().as_row()})

    def test_a_row_made_without_an_instance_equals_a_saved_instance(self):
        self.client.set(self.user.username, usage("block"), {"answer": 1})
        StudentModule(
            student=self.user, course_id=COURSE_KEY, module_state_key=usage("saved"), state='{"answer":1}'
        ).save()
        apart = {"id", "module_state_key", "created", "modified", "digest"}
        made, saved = (
            {name: getattr(row, name) for name in COLUMNS if name not in apart}
            for row in StudentModule.objects.order_by("id")
        )
        self.assertEqual(made, saved)

    def test_new_rows_get_their_ids_where_an_insert_does_not_return_them(self):
        keys = [usage(f"block{number}") for number in range(3)]
        with patch.object(type(connection.features), "can_return_rows_from_bulk_insert", new=False):
            self.client.set_many(self.user.username, {key: {"answer": key.block_id} for key in keys})
        for key in keys:
            (version,) = self.client.get_history(self.user.username, key)
            self.assertEqual(version.state, {"answer": key.block_id})

    def test_keys_with_a_branch_are_stored_and_announced_without(self):
        key = usage("block").for_branch("draft")
        rows = [StudentModule(student=self.user, course_id=COURSE_KEY, module_state_key=key, state='{"a":1}')]
        StudentModule.objects.bulk_create(rows)
        (version,) = self.client.get_history(self.user.username, usage("block"))
        self.assertEqual(version.state, {"a": 1})
