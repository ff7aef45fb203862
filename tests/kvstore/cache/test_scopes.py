"""Supported scopes and keys, and which of them share stored values."""

from opaque_keys.edx.asides import AsideUsageKeyV2
from xblock.exceptions import InvalidScopeError
from xblock.fields import BlockScope, Scope, UserScope
from xblock.runtime import KeyValueStore

from kvstore.api import UnsupportedScope, UnusableKey
from kvstore.keys import ASIDE_FAMILY
from tests.kvstore.cache.blocks import NAMED_SCOPES, usage
from tests.kvstore.cache.test_store import OPERATIONS, StoreTestCase


class Places(StoreTestCase):
    def test_a_scope_that_is_not_kept_is_refused_by_every_operation(self):
        for scope in (
            Scope.content,
            Scope.settings,
            Scope.children,
            Scope.parent,
            Scope(UserScope.NONE, BlockScope.TYPE),
            Scope(UserScope.ONE, BlockScope.DEFINITION),
            Scope(UserScope.ALL, BlockScope.ALL),
            None,
            "user_state",
        ):
            key = KeyValueStore.Key(scope, self.user.pk, usage("block"), "field")
            for name, operation in OPERATIONS.items():
                for old_error in (UnsupportedScope, InvalidScopeError):
                    with self.subTest(scope=scope, operation=name), self.assertRaises(old_error) as caught:
                        operation(self.store(), key)
                    self.assertIn("user_state_summary", str(caught.exception))
                    self.assertEqual(caught.exception.message, str(caught.exception))

    def test_one_unsupported_scope_keeps_all_others_from_being_stored(self):
        good = self.key(Scope.user_state)
        with self.assertRaises(UnsupportedScope):
            self.store().set_many({good: 1, good._replace(scope=Scope.settings): 2})
        self.assertFalse(self.store().has(good))

    def test_a_scope_without_a_name_is_the_same_place_as_the_named_one(self):
        for scope in NAMED_SCOPES:
            unnamed = Scope(scope.user, scope.block)
            self.assertNotEqual(unnamed, scope)
            key = self.key(scope)
            store = self.store()
            store.set(key._replace(scope=unnamed), "value")
            with self.subTest(scope=scope):
                self.assertEqual(store.get(key), "value")
                self.assertEqual(self.store().get(key._replace(scope=unnamed)), "value")

    def test_a_block_and_its_aside_never_meet(self):
        aside_key = AsideUsageKeyV2(usage("block"), "problem")
        for scope in NAMED_SCOPES:
            of_block = self.key(scope)
            scope_id = aside_key if scope.block == BlockScope.USAGE else of_block.block_scope_id
            of_aside = of_block._replace(block_scope_id=scope_id, block_family=ASIDE_FAMILY)
            store = self.store()
            store.set(of_block, "block")
            self.assertFalse(store.has(of_aside) or self.store().has(of_aside))
            store.set(of_aside, "aside")
            for reader in (store, self.store()):
                with self.subTest(scope=scope):
                    self.assertEqual([reader.get(of_block), reader.get(of_aside)], ["block", "aside"])
            store.delete(of_aside)
            self.assertEqual(self.store().get(of_block), "block")

    def test_an_aside_with_its_blocks_own_key_is_refused(self):
        for scope in (Scope.user_state, Scope.user_state_summary):
            for name, operation in OPERATIONS.items():
                key = self.key(scope, usage_key=usage("other"))._replace(block_family=ASIDE_FAMILY)
                with self.subTest(scope=scope, operation=name), self.assertRaisesMessage(UnusableKey, "AsideUsageKey"):
                    operation(self.store(), key)

    def test_keys_that_nothing_is_stored_under_are_refused(self):
        for key in (
            self.key(Scope.user_state)._replace(block_scope_id="problem"),
            self.key(Scope.user_state_summary)._replace(block_scope_id=None),
            self.key(Scope.preferences)._replace(block_scope_id=usage("block")),
            self.key(Scope.preferences)._replace(block_scope_id="t" * 129),
            self.key(Scope.user_info)._replace(block_scope_id="problem"),
            self.key(Scope.user_info)._replace(block_family="f" * 65),
        ):
            for name, operation in OPERATIONS.items():
                with self.subTest(key=key, operation=name), self.assertRaises(UnusableKey):
                    operation(self.store(), key)

    def test_field_names_that_no_row_can_hold_are_refused(self):
        for scope in NAMED_SCOPES:
            for name in ("", "f" * 256, "field\n", "a\0b", None):
                with self.subTest(scope=scope, name=name), self.assertRaises(UnusableKey):
                    self.store().set(self.key(scope, name), 1)
