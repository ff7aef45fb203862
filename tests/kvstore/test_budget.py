"""The number of statements of every operation on each database. The README guarantees these numbers.

Everything rolls back on both aliases (TestCase), so a transaction of the store shows as SAVEPOINT and RELEASE.
"""

import json
from unittest import mock

from django.test import TestCase
from xblock.fields import Scope

from kvstore.api import DjangoKeyValueStore, DjangoXBlockUserStateClient, FieldDataCache, set_score
from kvstore.models import StudentModule, UserStateSummaryField
from kvstore.storage import reading
from kvstore.testing import StudentModuleFactory, UserFactory, assert_queries
from tests.kvstore.cache.blocks import COURSE, FIELD_SCOPES, NAMED_SCOPES, block, key_for, usage


class Budget(TestCase):
    databases = {"default", "student_module_history"}

    @classmethod
    def setUpTestData(cls):
        cls.user = UserFactory()

    def store(self, *scopes, count=1):
        blocks = [block(usage(f"block{number}" if number else "block"), scopes) for number in range(count)]
        return DjangoKeyValueStore(FieldDataCache(blocks, COURSE, self.user))

    def key(self, scope, name="field", usage_key=None):
        return key_for(scope, self.user.pk, name, usage_key)


class ReadingBudget(Budget):
    def test_building_the_cache_takes_one_query_for_a_scope(self):
        for scope in NAMED_SCOPES:
            with self.subTest(scope=scope), assert_queries(default=1):
                self.store(scope)

    def test_building_the_cache_takes_one_query_for_each_scope(self):
        with assert_queries(default=4):
            self.store(*NAMED_SCOPES)

    def test_building_the_cache_takes_one_query_for_many_blocks(self):
        with assert_queries(default=4):
            self.store(*NAMED_SCOPES, count=100)

    def test_building_the_cache_of_a_block_without_fields_takes_none(self):
        with assert_queries():
            self.store()

    def test_reading_a_stored_field_takes_none(self):
        for scope in NAMED_SCOPES:
            with self.subTest(scope=scope):
                self.store(scope).set(self.key(scope), "stored")
                store = self.store(scope)
                with assert_queries():
                    self.assertTrue(store.has(self.key(scope)))
                    self.assertEqual(store.get(self.key(scope)), "stored")

    def test_missing_a_field_takes_none(self):
        for scope in NAMED_SCOPES:
            store = self.store(scope)
            with self.subTest(scope=scope), assert_queries():
                self.assertFalse(store.has(self.key(scope)))
                self.assertRaises(KeyError, store.get, self.key(scope))
                self.assertRaises(KeyError, store.delete, self.key(scope))

    def test_missing_a_field_that_the_block_does_not_declare_takes_none(self):
        for scope in (Scope.user_state, Scope.user_state_summary, Scope.preferences):
            store = self.store()
            with self.subTest(scope=scope), assert_queries():
                self.assertFalse(store.has(self.key(scope)))


class UserStateBudget(Budget):
    def setUp(self):
        self.row = StudentModuleFactory(
            student=self.user,
            module_state_key=usage("block"),
            state=json.dumps({"field": "old", "other": "old"}),
        )

    def test_set_an_existing_field(self):
        store = self.store(Scope.user_state)
        with assert_queries(default=4, student_module_history=1):
            store.set(self.key(Scope.user_state), "new")

    def test_set_a_new_field(self):
        store = self.store(Scope.user_state)
        with assert_queries(default=4, student_module_history=1):
            store.set(self.key(Scope.user_state, "new_field"), "new")

    def test_set_many_on_one_block(self):
        store = self.store(Scope.user_state)
        with assert_queries(default=4, student_module_history=1):
            store.set_many({self.key(Scope.user_state, name): "new" for name in ("field", "other", "third")})

    def test_set_on_a_missing_row(self):
        store = self.store(Scope.user_state, count=2)
        with assert_queries(default=4, student_module_history=1):
            store.set(self.key(Scope.user_state, usage_key=usage("block1")), "new")

    def test_set_many_over_blocks_without_rows(self):
        store = self.store(Scope.user_state, count=101)
        keys = [self.key(Scope.user_state, usage_key=usage(f"block{number}")) for number in range(1, 101)]
        with assert_queries(default=4, student_module_history=1):
            store.set_many(dict.fromkeys(keys, "new"))
        self.assertEqual(StudentModule.objects.filter(version=1).count(), 101)

    def test_set_many_over_blocks_with_rows(self):
        store = self.store(Scope.user_state, count=101)
        keys = [self.key(Scope.user_state, usage_key=usage(f"block{number}")) for number in range(1, 101)]
        store.set_many(dict.fromkeys(keys, "old"))
        with assert_queries(default=4, student_module_history=1):
            store.set_many(dict.fromkeys(keys, "new"))
        self.assertEqual(StudentModule.objects.filter(version=2).count(), 100)

    def test_set_many_in_chunks_adds_a_lock_and_a_write_for_each(self):
        store = self.store(Scope.user_state, count=26)
        keys = [self.key(Scope.user_state, usage_key=usage(f"block{number}")) for number in range(1, 26)]
        with (
            self.settings(KVSTORE_CHUNK_SIZE=10),
            assert_queries(default=2 + 3 * 2, student_module_history=3),
        ):
            store.set_many(dict.fromkeys(keys, "new"))

    def test_set_of_the_stored_value_writes_nothing(self):
        store = self.store(Scope.user_state)
        with assert_queries(default=3):
            store.set(self.key(Scope.user_state), "old")

    def test_delete_an_existing_field(self):
        store = self.store(Scope.user_state)
        with assert_queries(default=2, student_module_history=1):
            store.delete(self.key(Scope.user_state))

    def test_set_score(self):
        with assert_queries(default=4, student_module_history=1):
            set_score(self.user.pk, usage("block"), 1, 2)

    def test_save_an_instance(self):
        self.row.grade = 1.0
        with assert_queries(default=4, student_module_history=1):
            self.row.save()

    def test_history_is_not_written_for_a_type_that_is_not_recorded(self):
        html = usage("html", "html")
        with assert_queries(default=4):
            self.store().set(self.key(Scope.user_state, usage_key=html), "new")


class FieldRowBudget(Budget):
    def test_set_a_missing_and_then_an_existing_field(self):
        for scope in FIELD_SCOPES:
            store = self.store(scope)
            for value in ("missing before", "existing before"):
                with self.subTest(scope=scope, value=value), assert_queries(default=1):
                    store.set(self.key(scope), value)

    def test_set_many_fields_of_one_scope(self):
        for scope in FIELD_SCOPES:
            store = self.store(scope)
            with self.subTest(scope=scope), assert_queries(default=1):
                store.set_many({self.key(scope, f"field{number}"): number for number in range(5)})
        self.assertEqual(UserStateSummaryField.objects.count(), 5)

    def test_delete_an_existing_field(self):
        for scope in FIELD_SCOPES:
            store = self.store(scope)
            store.set(self.key(scope), "stored")
            with self.subTest(scope=scope), assert_queries(default=1):
                store.delete(self.key(scope))

    def test_set_many_over_all_scopes_adds_one_savepoint(self):
        store = self.store(*NAMED_SCOPES)
        with assert_queries(default=2 + 4 + 3, student_module_history=1):
            store.set_many({self.key(scope): "new" for scope in NAMED_SCOPES})


class ClientBudget(Budget):
    def setUp(self):
        self.client = DjangoXBlockUserStateClient()
        self.keys = [usage(f"block{number}") for number in range(20)]
        self.client.set_many(self.user.username, {key: {"field": 1} for key in self.keys})

    def test_get_many_of_one_course(self):
        with assert_queries(default=1):
            self.assertEqual(len(list(self.client.get_many(self.user.username, self.keys))), 20)

    def test_get_history_of_one_block(self):
        with assert_queries(default=2, student_module_history=1):
            self.assertEqual(len(list(self.client.get_history(self.user.username, self.keys[0]))), 1)

    def test_get_history_of_a_deleted_row(self):
        StudentModule.objects.get(module_state_key=self.keys[0]).delete()
        with assert_queries(default=2, student_module_history=1):
            self.assertEqual(len(list(self.client.get_history(self.user.username, self.keys[0]))), 2)

    def test_iterating_over_a_course_takes_one_query_for_a_page(self):
        with mock.patch.object(reading, "BATCH_SIZE", 8), assert_queries(default=3):
            self.assertEqual(len(list(self.client.iter_all_for_course(COURSE))), 20)
