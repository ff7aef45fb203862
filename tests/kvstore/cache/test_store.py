"""Each operation of the store in each scope, and the keys that it refuses."""

import subprocess
import sys

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.test import SimpleTestCase, TestCase
from xblock.fields import Scope

from kvstore.api import AnotherLearner, DjangoKeyValueStore, FieldDataCache, KVStoreError
from kvstore.models import StudentModule
from kvstore.testing import StudentModuleFactory, UserFactory, assert_queries
from tests.kvstore.cache.blocks import COURSE, NAMED_SCOPES, block, key_for, usage

USER_SCOPES = (Scope.user_state, Scope.preferences, Scope.user_info)

OPERATIONS = {
    "get": lambda store, key: store.get(key),
    "has": lambda store, key: store.has(key),
    "set": lambda store, key: store.set(key, "value"),
    "set_many": lambda store, key: store.set_many({key: "value"}),
    "delete": lambda store, key: store.delete(key),
}

OTHERS_KEY_UNDER_OPTIMISATION = """
import django
django.setup()
from django.contrib.auth.models import User
from xblock.fields import Scope
from kvstore.api import AnotherLearner, DjangoKeyValueStore, FieldDataCache
from tests.kvstore.cache.blocks import COURSE, key_for
from tests.kvstore.cache.test_store import OPERATIONS
store = DjangoKeyValueStore(FieldDataCache([], COURSE, User(pk=1)))
for name, operation in OPERATIONS.items():
    try:
        operation(store, key_for(Scope.user_state, 2))
    except AnotherLearner:
        print(name, __debug__)
"""


class StoreTestCase(TestCase):
    """Everything rolls back on both aliases."""

    databases = {"default", "student_module_history"}

    @classmethod
    def setUpTestData(cls):
        cls.user = UserFactory()

    def store(self, user=None, **options):
        return DjangoKeyValueStore(FieldDataCache([block(scopes=NAMED_SCOPES)], COURSE, user or self.user, **options))

    def key(self, scope, name="field", usage_key=None):
        return key_for(scope, self.user.pk, name, usage_key)


class Operations(StoreTestCase):
    def test_a_set_value_is_present_now_and_in_the_next_request(self):
        for scope in NAMED_SCOPES:
            store, key = self.store(), self.key(scope)
            for value in ("first", {"second": [1]}, None):
                store.set(key, value)
                for reader in (store, self.store()):
                    with self.subTest(scope=scope, value=value):
                        self.assertTrue(reader.has(key))
                        self.assertEqual(reader.get(key), value)

    def test_a_deleted_value_is_missing_now_and_in_the_next_request_and_can_be_set_again(self):
        for scope in NAMED_SCOPES:
            store, key = self.store(), self.key(scope)
            store.set_many({key: "value", self.key(scope, "sibling"): "kept"})
            store.delete(key)
            for reader in (store, self.store()):
                with self.subTest(scope=scope):
                    self.assertFalse(reader.has(key))
                    self.assertRaises(KeyError, reader.get, key)
                    self.assertRaises(KeyError, reader.delete, key)
                    self.assertEqual(reader.get(self.key(scope, "sibling")), "kept")
            store.set(key, "again")
            self.assertEqual(self.store().get(key), "again")

    def test_set_many_of_nothing_does_nothing(self):
        with assert_queries(default=4):
            self.store().set_many({})

    def test_siblings_stay_in_the_cache_after_a_write(self):
        for scope in NAMED_SCOPES:
            self.store().set_many({self.key(scope, name): name for name in ("unread", "read", "changed", "gone")})
            store = self.store()
            store.get(self.key(scope, "read"))
            store.set_many({self.key(scope, "changed"): "new", self.key(scope, "added"): "new"})
            store.delete(self.key(scope, "gone"))
            with self.subTest(scope=scope), assert_queries():
                for name, value in (("unread", "unread"), ("read", "read"), ("changed", "new"), ("added", "new")):
                    self.assertTrue(store.has(self.key(scope, name)))
                    self.assertEqual(store.get(self.key(scope, name)), value)
                self.assertFalse(store.has(self.key(scope, "gone")))

    def test_the_store_keeps_values_that_callers_change_after_set_or_get(self):
        for scope in NAMED_SCOPES:
            store, key, given = self.store(), self.key(scope), {"list": [1]}
            store.set(key, given)
            given["list"].append("changed by the giver")
            for reader in (store, self.store()):
                with self.subTest(scope=scope):
                    reader.get(key)["list"].append("changed by the taker")
                    self.assertEqual(reader.get(key), {"list": [1]})

    def test_every_reader_of_a_value_gets_one_of_their_own(self):
        for scope in NAMED_SCOPES:
            key, beside = self.key(scope), self.key(scope, "beside")
            self.store().set_many({key: {"list": [1]}, beside: [2]})
            store = self.store()
            with self.subTest(scope=scope):
                given = [store.get(key) for _ in range(4)]
                for value in given:
                    self.assertEqual(value, {"list": [1]})
                    value["list"].append("changed by the taker")
                self.assertTrue(store.has(key))
                self.assertEqual(store.get(beside), [2])
                store.set(beside, [3])
                store.get(beside).append("changed by the taker")
                self.assertEqual((store.get(beside), store.get(key)), ([3], {"list": [1]}))
                store.delete(key)
                self.assertFalse(store.has(key))
                self.assertEqual(store.get(beside), [3])

    def test_a_write_of_a_field_keeps_the_other_fields_of_another_request(self):
        for scope in NAMED_SCOPES:
            first, second = self.store(), self.store()
            first.set(self.key(scope, "one"), 1)
            second.set(self.key(scope, "two"), 2)
            with self.subTest(scope=scope):
                reader = self.store()
                self.assertEqual([reader.get(self.key(scope, name)) for name in ("one", "two")], [1, 2])

    def test_a_state_that_never_was_and_one_that_was_emptied_both_read_as_missing(self):
        for state in (None, "{}"):
            key = usage(f"state-{state is None}")
            row = StudentModuleFactory(student=self.user, module_state_key=key, state=state)
            with self.subTest(state=state):
                self.assertFalse(self.store().has(self.key(Scope.user_state, usage_key=key)))
                row.refresh_from_db()
                self.assertEqual(row.state, state)

    def test_deleting_the_last_field_keeps_the_row_and_its_score(self):
        row = StudentModuleFactory(student=self.user, module_state_key=usage("block"), state='{"field":1}', grade=1.0)
        self.store().delete(self.key(Scope.user_state))
        row.refresh_from_db()
        self.assertEqual((row.state, row.grade, row.version), ("{}", 1.0, 2))

    def test_deleting_from_a_row_that_is_gone_leaves_the_field_missing(self):
        store, key = self.store(), self.key(Scope.user_state)
        store.set(key, "value")
        StudentModule.objects.all().delete()
        store.delete(key)
        self.assertFalse(store.has(key))
        self.assertFalse(StudentModule.objects.exists())

    def test_learners_do_not_see_each_others_fields_and_share_those_of_the_class(self):
        other = UserFactory()
        self.store().set_many({self.key(scope): "mine" for scope in NAMED_SCOPES})
        for scope in USER_SCOPES:
            with self.subTest(scope=scope):
                self.assertFalse(self.store(other).has(key_for(scope, other.pk)))
        self.assertEqual(self.store(other).get(key_for(Scope.user_state_summary, None)), "mine")


class KeysOfOthers(StoreTestCase):
    def test_another_learners_key_is_refused_by_every_operation(self):
        other = UserFactory()
        DjangoKeyValueStore(FieldDataCache([], COURSE, other)).set(key_for(Scope.user_state, other.pk), "theirs")
        store = self.store()
        for scope in USER_SCOPES:
            for user_id in (other.pk, None, str(self.user.pk), 0):
                for name, operation in OPERATIONS.items():
                    for old_error in (PermissionDenied, AssertionError, KVStoreError):
                        with self.subTest(scope=scope, user_id=user_id, operation=name), self.assertRaises(old_error):
                            operation(store, key_for(scope, user_id))
        self.assertEqual(StudentModule.objects.get().state, '{"field":"theirs"}')

    def test_one_key_of_another_learner_keeps_all_others_from_being_stored(self):
        store = self.store()
        mine, theirs = self.key(Scope.user_info), key_for(Scope.user_info, self.user.pk + 1)
        with self.assertRaises(AnotherLearner):
            store.set_many({mine: 1, theirs: 2})
        self.assertFalse(store.has(mine) or self.store().has(mine))

    def test_the_anonymous_users_cache_refuses_a_learners_key(self):
        for name, operation in OPERATIONS.items():
            with self.subTest(operation=name), self.assertRaises(AnotherLearner):
                operation(self.store(AnonymousUser()), self.key(Scope.user_state))


class WithoutAssertions(SimpleTestCase):
    def test_another_learners_key_is_refused_under_python_o_too(self):
        command = [sys.executable, "-O", "-c", OTHERS_KEY_UNDER_OPTIMISATION]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.stdout.split(), [word for name in OPERATIONS for word in (name, "False")], done.stderr)
