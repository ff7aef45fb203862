"""When the database refuses a write, the cache and the error agree with the stored rows."""

from types import SimpleNamespace

from django.db import DatabaseError, transaction
from django.test import TestCase, TransactionTestCase
from xblock.core import XBlock
from xblock.exceptions import KeyValueMultiSaveError, XBlockSaveError
from xblock.fields import Dict, Scope, ScopeIds, String
from xblock.runtime import KvsFieldData

from kvstore.api import (
    DjangoKeyValueStore,
    DjangoXBlockUserStateClient,
    FieldDataCache,
    ReadOnlyState,
    SaveFailed,
    UnstorableValue,
)
from kvstore.models import PreferencesField, StudentModule, UserInfoField, UserStateSummaryField
from kvstore.testing import UserFactory
from tests.kvstore.cache.blocks import COURSE, NAMED_SCOPES, block, key_for, usage
from tests.kvstore.triggers import REFUSED, refusing

TABLES = {
    Scope.user_state: (StudentModule, "state"),
    Scope.user_state_summary: (UserStateSummaryField, "value"),
    Scope.preferences: (PreferencesField, "value"),
    Scope.user_info: (UserInfoField, "value"),
}


class Quiz(XBlock):
    answer = String(scope=Scope.user_state)
    tally = Dict(scope=Scope.user_state_summary)
    speed = String(scope=Scope.preferences)
    toured = String(scope=Scope.user_info)


def new_store(user):
    return DjangoKeyValueStore(FieldDataCache([block(scopes=NAMED_SCOPES)], COURSE, user))


class RefusedByTheDatabase(TransactionTestCase):
    """Commits, because a trigger that refuses rows cannot be made inside a transaction on every database."""

    databases = {"default", "student_module_history"}

    def setUp(self):
        self.user = UserFactory()

    def key(self, scope, name="field"):
        return key_for(scope, self.user.pk, name)

    def test_a_failed_write_changes_neither_cache_nor_database_and_can_be_tried_again(self):
        for scope, table in TABLES.items():
            store, key, new = new_store(self.user), self.key(scope), self.key(scope, "new")
            store.set(key, "old")
            with refusing(*table), self.assertRaises(SaveFailed) as caught:
                store.set_many({key: REFUSED, new: "new"})
            for reader in (store, new_store(self.user)):
                with self.subTest(scope=scope):
                    self.assertEqual(list(caught.exception.saved_field_names), [])
                    self.assertIn("refused", str(caught.exception))
                    self.assertEqual(reader.get(key), "old")
                    self.assertFalse(reader.has(new))
            store.set_many({key: REFUSED, new: "new"})
            for reader in (store, new_store(self.user)):
                with self.subTest(scope=scope, retried=True):
                    self.assertEqual([reader.get(key), reader.get(new)], [REFUSED, "new"])

    def test_a_failed_first_write_leaves_nothing(self):
        for scope, table in TABLES.items():
            store, key = new_store(self.user), self.key(scope)
            with self.subTest(scope=scope):
                with refusing(*table), self.assertRaises(KeyValueMultiSaveError):
                    store.set(key, REFUSED)
                self.assertFalse(store.has(key) or new_store(self.user).has(key) or table[0].objects.exists())
                store.set(key, REFUSED)
                self.assertTrue(store.has(key) and new_store(self.user).has(key))

    def test_a_scope_that_fails_takes_the_scopes_written_before_it_along(self):
        for failing, table in TABLES.items():
            store = new_store(self.user)
            store.set_many({self.key(scope): "old" for scope in NAMED_SCOPES})
            with refusing(*table), self.assertRaises(SaveFailed) as caught:
                store.set_many({self.key(scope): REFUSED if scope == failing else "new" for scope in NAMED_SCOPES})
            with self.subTest(failing=failing):
                self.assertEqual(list(caught.exception.saved_field_names), [])
                for reader in (store, new_store(self.user)):
                    self.assertEqual([reader.get(self.key(scope)) for scope in NAMED_SCOPES], ["old"] * 4)
        self.assertEqual(StudentModule.objects.get().version, 1)

    def test_a_block_that_fails_takes_the_other_blocks_along(self):
        client = DjangoXBlockUserStateClient()
        states = {usage(f"block{number}"): {"field": "new"} for number in range(5)}
        states[usage("block4")] = {"field": REFUSED}
        small_chunks = self.settings(KVSTORE_CHUNK_SIZE=2)
        # Each database refuses with another class of its errors, so any of them will do.
        with refusing(StudentModule, "state"), small_chunks, self.assertRaises(DatabaseError):
            client.set_many(self.user.username, states)
        self.assertEqual(list(client.get_many(self.user.username, states)), [])
        client.set_many(self.user.username, states)
        self.assertEqual(len(list(client.get_many(self.user.username, states))), 5)

    def test_a_failed_save_of_several_scopes_leaves_the_callers_transaction_usable(self):
        store = new_store(self.user)
        with refusing(UserStateSummaryField, "value"), transaction.atomic():
            store.set(self.key(Scope.user_info), "before")
            with self.assertRaises(SaveFailed):
                store.set_many({self.key(Scope.user_state): 1, self.key(Scope.user_state_summary): REFUSED})
            store.set(self.key(Scope.preferences), "after")
        reader = new_store(self.user)
        self.assertEqual(reader.get(self.key(Scope.user_info)), "before")
        self.assertEqual(reader.get(self.key(Scope.preferences)), "after")
        self.assertFalse(reader.has(self.key(Scope.user_state)))

    def test_after_a_failed_save_a_block_keeps_its_changes_and_saves_them_next_time(self):
        quiz = self.quiz()
        quiz.answer, quiz.tally, quiz.speed, quiz.toured = "b", {"b": 1}, "fast", REFUSED
        with refusing(UserInfoField, "value"), self.assertRaises(XBlockSaveError) as caught:
            quiz.save()
        self.assertEqual(caught.exception.saved_fields, [])
        self.assertEqual(
            {field.name for field in caught.exception.dirty_fields}, {"answer", "tally", "speed", "toured"}
        )
        self.assertEqual(self.quiz().fields["answer"].read_from(self.quiz()), None)
        quiz.save()
        again = self.quiz()
        self.assertEqual((again.answer, again.tally, again.speed, again.toured), ("b", {"b": 1}, "fast", REFUSED))

    def quiz(self):
        key = usage("quiz", "quiz")
        cache = FieldDataCache([block(key, NAMED_SCOPES)], COURSE, self.user)
        services = {"field-data": KvsFieldData(DjangoKeyValueStore(cache))}
        runtime = SimpleNamespace(service=lambda block, name: services[name], save_block=lambda block: None)
        return Quiz(runtime, scope_ids=ScopeIds(self.user.pk, "quiz", key, key))


class RefusedByTheStore(TestCase):
    """Everything rolls back on both aliases."""

    databases = {"default", "student_module_history"}

    @classmethod
    def setUpTestData(cls):
        cls.user = UserFactory()

    def key(self, scope, name="field", usage_key=None):
        return key_for(scope, self.user.pk, name, usage_key)

    def test_an_unstorable_value_leaves_cache_and_database_as_they_were(self):
        for scope in NAMED_SCOPES:
            store = new_store(self.user)
            store.set(self.key(scope), "old")
            with self.assertRaises(UnstorableValue):
                store.set_many({self.key(scope): "new", self.key(scope, "other"): {1, 2}})
            for reader in (store, new_store(self.user)):
                with self.subTest(scope=scope):
                    self.assertEqual(reader.get(self.key(scope)), "old")
                    self.assertFalse(reader.has(self.key(scope, "other")))

    def test_nothing_is_written_through_a_read_only_cache(self):
        new_store(self.user).set_many({self.key(scope): "old" for scope in NAMED_SCOPES})
        cache = FieldDataCache([block(scopes=NAMED_SCOPES)], COURSE, self.user, read_only=True)
        store = DjangoKeyValueStore(cache)
        for scope in NAMED_SCOPES:
            for write in (
                lambda key: store.set(key, "new"),
                lambda key: store.set_many({key: "new"}),
                store.delete,
                lambda key: cache.set(key, "new"),
            ):
                with self.subTest(scope=scope), self.assertRaisesMessage(ReadOnlyState, "'field'"):
                    write(self.key(scope))
            self.assertEqual(store.get(self.key(scope)), "old")
            self.assertEqual(new_store(self.user).get(self.key(scope)), "old")

    def test_two_keys_of_one_block_both_count(self):
        plain, draft = usage("block"), usage("block").for_branch("draft")
        for scope in (Scope.user_state, Scope.user_state_summary):
            store = new_store(self.user)
            with self.subTest(scope=scope):
                store.set_many({self.key(scope, "a", plain): 1, self.key(scope, "b", draft): 2})
                reader = new_store(self.user)
                self.assertEqual([reader.get(self.key(scope, name)) for name in ("a", "b")], [1, 2])
                self.assertEqual([store.get(self.key(scope, name)) for name in ("a", "b")], [1, 2])
