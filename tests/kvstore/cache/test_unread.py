"""A FieldDataCache loads missing values when they are read. Values without an owner are missing."""

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from xblock.fields import Scope

from kvstore.api import DjangoKeyValueStore, FieldDataCache, UnknownLearner
from kvstore.keys import ASIDE_FAMILY
from kvstore.models import PreferencesField, StudentModule, UserInfoField, UserStateSummaryField
from kvstore.testing import assert_queries
from tests.kvstore.cache.blocks import COURSE, FIELD_SCOPES, NAMED_SCOPES, block, key_for, usage
from tests.kvstore.cache.test_prefetch import Prefetching

MODELS = (StudentModule, UserStateSummaryField, PreferencesField, UserInfoField)


class UnreadIsNotMissing(Prefetching):
    def test_a_field_that_was_not_prefetched_is_loaded_in_one_query_at_its_first_read(self):
        for scope in NAMED_SCOPES:
            self.cache().set_many({self.key("block", scope, name): name for name in ("one", "two")})
            cache = self.cache()
            with self.subTest(scope=scope):
                with assert_queries(default=1):
                    self.assertTrue(cache.has(self.key("block", scope, "one")))
                with assert_queries():
                    self.assertEqual(cache.get(self.key("block", scope, "two")), "two")
                    self.assertFalse(cache.has(self.key("block", scope, "three")))

    def test_a_field_written_before_it_was_read_does_not_hide_other_fields(self):
        for scope in NAMED_SCOPES:
            self.cache().set_many({self.key("block", scope, name): "old" for name in ("one", "two")})
            cache = self.cache()
            cache.set(self.key("block", scope, "one"), "new")
            with self.subTest(scope=scope):
                values = [cache.get(self.key("block", scope, name)) for name in ("one", "two")]
                self.assertEqual(values, ["new", "old"])

    def test_a_field_that_one_block_does_not_declare_is_loaded_for_another(self):
        for scope in NAMED_SCOPES:
            self.cache().set(self.key("block", scope), "stored")
            cache = self.cache([block()])
            cache.add_blocks_to_cache([block(scopes=[scope])])
            with self.subTest(scope=scope):
                self.assertEqual(cache.get(self.key("block", scope)), "stored")

    def test_an_undeclared_field_found_missing_is_loaded_for_a_block_that_declares_it(self):
        for scope in NAMED_SCOPES[:3]:
            self.cache().set(self.key("block", scope), "stored")
            cache = self.cache([block()])
            with self.subTest(scope=scope):
                self.assertFalse(cache.has(self.key("block", scope)))
                cache.add_blocks_to_cache([block(scopes=[scope])])
                self.assertFalse(cache.has(self.key("block", scope, "other")))
                self.assertEqual(cache.get(self.key("block", scope)), "stored")

    def test_an_undeclared_field_that_was_written_is_read_without_a_query(self):
        for scope in NAMED_SCOPES[:3]:
            cache = self.cache([block()])
            cache.set(self.key("block", scope), "new")
            with self.subTest(scope=scope), assert_queries():
                self.assertEqual(cache.get(self.key("block", scope)), "new")

    def test_a_field_of_another_family_is_not_taken_for_a_blocks(self):
        of_block = self.key("block", Scope.preferences)
        of_aside = of_block._replace(block_scope_id="notes", block_family=ASIDE_FAMILY)
        crossed = of_block._replace(block_family=ASIDE_FAMILY)
        self.cache().set_many({of_block: "block", of_aside: "aside", crossed: "crossed"})
        cache = self.cache([block(scopes=NAMED_SCOPES)], asides=["notes"])
        with assert_queries():
            self.assertEqual([cache.get(of_block), cache.get(of_aside)], ["block", "aside"])
        with assert_queries(default=1):
            self.assertEqual(cache.get(crossed), "crossed")

    def test_more_blocks_than_a_statement_takes_are_loaded_in_chunks(self):
        names = [f"block{number}" for number in range(25)]
        self.store_states(*names)
        with self.settings(KVSTORE_CHUNK_SIZE=10), assert_queries(default=3):
            cache = self.cache([block(usage(name), [Scope.user_state]) for name in names])
        self.assert_held(cache, *names)


class LastModified(Prefetching):
    def test_it_is_when_the_row_was_written_and_takes_no_query(self):
        for scope, model in zip(NAMED_SCOPES, MODELS, strict=True):
            cache = self.cache([block(scopes=NAMED_SCOPES)])
            key = self.key("block", scope)
            with self.subTest(scope=scope):
                with assert_queries():
                    self.assertIsNone(cache.last_modified(key))
                moments = []
                for value in ("first", "second"):
                    cache.set(key, value)
                    stored = model.objects.get().modified
                    moments.append(stored)
                    with assert_queries():
                        self.assertEqual(cache.last_modified(key), stored)
                    self.assertEqual(self.cache([block(scopes=NAMED_SCOPES)]).last_modified(key), stored)
                self.assertLess(*moments)
                cache.delete(key)
                with assert_queries():
                    self.assertIsNone(cache.last_modified(key))
                    self.assertIsNone(cache.last_modified(self.key("block", scope, "never")))


class AnonymousState(Prefetching):
    def test_the_anonymous_user_reads_and_stores_nothing_without_a_query(self):
        for scope in NAMED_SCOPES:
            key = key_for(scope, None, "field", usage("block"))
            if scope == Scope.user_state_summary:
                self.cache().set(key, "of the class")
            with self.subTest(scope=scope), assert_queries():
                cache = FieldDataCache([block(scopes=NAMED_SCOPES)], COURSE, AnonymousUser())
                store = DjangoKeyValueStore(cache)
                store.set_many({key: "value"})
                self.assertFalse(store.has(key))
                self.assertRaises(KeyError, store.get, key)
                self.assertRaises(KeyError, store.delete, key)
                self.assertIsNone(cache.last_modified(key))
        self.assertEqual([model.objects.count() for model in MODELS], [0, 1, 0, 0])

    def test_a_user_that_was_never_saved_has_no_cache(self):
        with assert_queries(), self.assertRaisesMessage(UnknownLearner, "never saved"):
            FieldDataCache([block(scopes=FIELD_SCOPES)], COURSE, get_user_model()(username="new"))
