"""A FieldDataCache loads the fields of blocks, their descendants and their asides."""

from types import SimpleNamespace

from acid import AcidAside
from django.db import connection
from django.test import TestCase
from django.test.utils import CaptureQueriesContext
from opaque_keys.edx.asides import AsideUsageKeyV2
from xblock.fields import BlockScope, Scope, ScopeIds

from kvstore.api import DjangoKeyValueStore, FieldDataCache
from kvstore.keys import ASIDE_FAMILY
from kvstore.models import StudentModule
from kvstore.testing import UserFactory, assert_queries
from tests.kvstore.cache.blocks import COURSE, NAMED_SCOPES, block, key_for, usage


class Prefetching(TestCase):
    """Everything rolls back on both aliases."""

    databases = {"default", "student_module_history"}

    @classmethod
    def setUpTestData(cls):
        cls.user = UserFactory()

    def cache(self, blocks=(), **options):
        return FieldDataCache(blocks, COURSE, self.user, **options)

    def key(self, name, scope=Scope.user_state, field="field"):
        return key_for(scope, self.user.pk, field, usage(name))

    def store_states(self, *names):
        DjangoKeyValueStore(self.cache()).set_many({self.key(name): name for name in names})

    def assert_held(self, cache, *names):
        """Assert that the cache has these blocks' states without asking the database."""
        with assert_queries():
            self.assertEqual([cache.get(self.key(name)) for name in names], list(names))

    def assert_not_held(self, cache, *names):
        for name in names:
            with assert_queries(default=1):
                self.assertEqual(cache.get(self.key(name)), name)


class Descendants(Prefetching):
    def setUp(self):
        names = ("root", "left", "right", "leaf", "deep")
        self.store_states(*names)
        self.deep, self.right = self.leaf_block("deep"), self.leaf_block("right")
        leaf = block(usage("leaf"), [Scope.user_state], [self.deep])
        self.left = block(usage("left"), [Scope.user_state], [leaf])
        self.root = block(usage("root"), [Scope.user_state], [self.left, self.right])

    def leaf_block(self, name):
        return block(usage(name), [Scope.user_state])

    def descendants(self, root=None, **options):
        return FieldDataCache.cache_for_block_descendants(COURSE, self.user, root or self.root, **options)

    def test_all_descendants_are_loaded_in_one_query(self):
        with assert_queries(default=1):
            cache = self.descendants()
        self.assert_held(cache, "root", "left", "right", "leaf", "deep")

    def test_descendants_are_loaded_down_to_the_depth(self):
        for depth, held, rest in (
            (0, ["root"], ["left", "right", "leaf", "deep"]),
            (1, ["root", "left", "right"], ["leaf", "deep"]),
            (2, ["root", "left", "right", "leaf"], ["deep"]),
        ):
            cache = self.descendants(depth=depth)
            with self.subTest(depth=depth):
                self.assert_held(cache, *held)
                self.assert_not_held(cache, *rest)

    def test_a_block_that_the_filter_leaves_out_does_not_hide_its_descendants(self):
        cache = self.descendants(block_filter=lambda found: found is not self.left)
        self.assert_held(cache, "root", "right", "leaf", "deep")
        self.assert_not_held(cache, "left")

    def test_descendants_can_be_added_to_a_cache(self):
        cache = self.cache([self.deep])
        with assert_queries(default=1):
            cache.add_block_descendents(self.root)
        self.assert_held(cache, "root", "left", "right", "leaf", "deep")

    def test_loaded_fields_are_not_loaded_again(self):
        cache = self.descendants()
        with assert_queries():
            cache.add_blocks_to_cache([self.root, self.left, self.right])
            cache.add_block_descendants(self.root)

    def test_children_of_a_dynamic_block_are_chosen_after_its_state_is_loaded(self):
        asked_with = []

        def chosen():
            with assert_queries():
                asked_with.append(cache.get(self.key("root")))
            return [self.left]

        cache = self.cache()
        root = block(
            usage("root"),
            [Scope.user_state],
            [self.left, self.right],
            has_dynamic_children=lambda: True,
            get_child_blocks=chosen,
        )
        parent = block(usage("parent"), [Scope.user_state], [root])
        with assert_queries(default=2):
            cache.add_block_descendants(parent)
        self.assertEqual(asked_with, ["root"])
        self.assert_held(cache, "root", "left", "leaf", "deep")
        self.assert_not_held(cache, "right")

    def test_of_a_library_only_the_blocks_that_the_learner_sees_are_loaded(self):
        drawn = [f"drawn{number}" for number in range(10)]
        self.store_states(*drawn, *(f"left_out{number}" for number in range(990)))

        def every_child():
            raise AssertionError("A library need not make a thousand blocks to show ten.")

        library = block(
            usage("library"),
            [Scope.user_state],
            has_dynamic_children=lambda: True,
            get_child_blocks=lambda: [self.leaf_block(name) for name in drawn],
        )
        library.get_children = every_child
        with CaptureQueriesContext(connection) as captured:
            cache = self.descendants(library)
        # First the library itself, with the selection in its state, then the selected blocks.
        self.assertEqual(len(captured), 2)
        self.assertNotIn("left_out", "".join(query["sql"] for query in captured))
        self.assert_held(cache, *drawn)
        self.assert_not_held(cache, "left_out0", "left_out989")

    def test_the_depth_counts_below_chosen_children_too(self):
        root = block(
            usage("root"),
            [Scope.user_state],
            has_dynamic_children=lambda: True,
            get_child_blocks=lambda: [self.left],
        )
        cache = self.descendants(root, depth=0)
        self.assert_held(cache, "root")
        self.assert_not_held(cache, "left")
        cache = self.descendants(root, depth=1)
        self.assert_held(cache, "root", "left")
        self.assert_not_held(cache, "leaf")

    def test_all_children_of_a_block_without_dynamic_children_are_loaded(self):
        root = block(
            usage("root"),
            [Scope.user_state],
            [self.left, self.right],
            has_dynamic_children=lambda: False,
            get_child_blocks=lambda: self.fail("asked"),
        )
        self.assert_held(self.descendants(root), "left", "right", "leaf")


class Asides(Prefetching):
    def aside_key(self, scope, aside_type):
        scope_id = {
            BlockScope.USAGE: AsideUsageKeyV2(usage("block"), aside_type),
            BlockScope.TYPE: aside_type,
            BlockScope.ALL: None,
        }[scope.block]
        return key_for(scope, self.user.pk)._replace(block_scope_id=scope_id, block_family=ASIDE_FAMILY)

    def test_asides_are_loaded_by_type_with_their_block(self):
        for aside_type in ("acid_aside", "made_by_the_runtime"):
            keys = [self.aside_key(scope, aside_type) for scope in NAMED_SCOPES]
            DjangoKeyValueStore(self.cache()).set_many(dict.fromkeys(keys, aside_type))
            with self.subTest(aside_type=aside_type):
                with assert_queries(default=4):
                    cache = self.cache([block(scopes=[Scope.user_state])], asides=[aside_type])
                with assert_queries():
                    self.assertEqual([cache.get(key) for key in keys], [aside_type] * 4)

    def test_the_state_of_an_aside_is_a_row_of_the_asides_own_type(self):
        DjangoKeyValueStore(self.cache()).set(self.aside_key(Scope.user_state, "acid_aside"), 1)
        self.assertEqual(StudentModule.objects.get().module_type, "acid_aside")

    def test_an_aside_given_as_a_block_is_loaded_as_an_aside(self):
        key = self.aside_key(Scope.user_state, "acid_aside")
        DjangoKeyValueStore(self.cache()).set(key, "stored")
        aside = AcidAside(
            ScopeIds(self.user.pk, "acid_aside", key.block_scope_id, key.block_scope_id), runtime=SimpleNamespace()
        )
        cache = self.cache([aside], asides=["acid_aside"])
        with assert_queries():
            self.assertEqual(cache.get(key), "stored")
