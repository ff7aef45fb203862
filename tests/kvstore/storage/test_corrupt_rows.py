"""A stored text that is not a state is reported with its row. Other rows are read, and nothing is lost."""

from django.db import connection
from django.test import TestCase
from xblock.fields import Scope

from kvstore.api import CorruptState, DjangoKeyValueStore, FieldDataCache
from kvstore.testing import StudentModuleFactory, UserFactory, UserInfoFactory
from tests.kvstore.cache.blocks import COURSE, FIELD_SCOPES, NAMED_SCOPES, block, key_for, usage


class CorruptRows(TestCase):
    """Everything rolls back on both aliases."""

    databases = {"default", "student_module_history"}

    @classmethod
    def setUpTestData(cls):
        cls.user = UserFactory()
        cls.good = StudentModuleFactory(student=cls.user, module_state_key=usage("good"), state='{"field":1}')
        cls.bad = StudentModuleFactory(student=cls.user, module_state_key=usage("bad"), state='{"field":2}')

    def store(self):
        blocks = [block(usage(name), NAMED_SCOPES) for name in ("good", "bad")]
        return DjangoKeyValueStore(FieldDataCache(blocks, COURSE, self.user))

    def key(self, name, scope=Scope.user_state):
        return key_for(scope, self.user.pk, "field", usage(name))

    def corrupt(self, text):
        with connection.cursor() as cursor:
            cursor.execute("UPDATE xblock_kvstore_studentmodule SET state = %s WHERE id = %s", [text, self.bad.pk])

    def test_a_corrupt_state_is_reported_with_its_row_and_the_others_are_read(self):
        for text in ("", "{", '{"field": NaN}', '["field"]', "null", "[" * 100_000):
            self.corrupt(text)
            for operation in (
                lambda store, key: store.get(key),
                lambda store, key: store.has(key),
                lambda store, key: store.set(key, "new"),
                lambda store, key: store.delete(key),
            ):
                store = self.store()
                with self.subTest(text=text[:20]):
                    with self.assertRaises(CorruptState) as caught:
                        operation(store, self.key("bad"))
                    self.assertEqual((caught.exception.row_ids, caught.exception.count), ((self.bad.pk,), 1))
                    self.assertIn(f"id {self.bad.pk}", str(caught.exception))
                    self.assertEqual(store.get(self.key("good")), 1)
            self.bad.refresh_from_db()
            self.assertEqual((self.bad.state, self.bad.version), (text, 1))

    def test_a_corrupt_state_keeps_the_blocks_beside_it_from_being_stored(self):
        self.corrupt("nonsense")
        with self.assertRaises(CorruptState):
            self.store().set_many({self.key("good"): "new", self.key("bad"): "new"})
        self.assertEqual(self.store().get(self.key("good")), 1)

    def test_a_state_that_was_repaired_since_it_was_loaded_can_be_written(self):
        self.corrupt("nonsense")
        store = self.store()
        self.corrupt('{"sibling":3}')
        store.set(self.key("bad"), "new")
        self.bad.refresh_from_db()
        self.assertEqual(self.bad.state, '{"sibling":3,"field":"new"}')
        self.assertEqual(store.get(self.key("bad")), "new")

    def test_a_corrupt_field_is_reported_with_its_row_and_can_be_set_or_deleted(self):
        row = UserInfoFactory(student=self.user, field_name="field", value="nonsense")
        for scope in FIELD_SCOPES:
            self.store().set(self.key("good", scope)._replace(field_name="other"), 1)
        store, key = self.store(), self.key("good", Scope.user_info)
        with self.assertRaises(CorruptState) as caught:
            store.get(key)
        self.assertEqual(caught.exception.row_ids, (row.pk,))
        self.assertEqual(store.get(key._replace(field_name="other")), 1)
        store.set(key, "repaired")
        self.assertEqual(self.store().get(key), "repaired")
        store.delete(key)
        self.assertFalse(self.store().has(key))
