"""The client iterates over many rows, with corrupt ones, and reads the history of one block."""

from unittest import mock

from django.db import connection
from opaque_keys.edx.asides import AsideUsageKeyV2
from xblock.fields import Scope

from kvstore.api import CorruptState
from kvstore.models import StudentModule
from kvstore.storage import reading
from kvstore.testing import StudentModuleFactory, UserFactory, assert_queries
from tests.kvstore.cache.blocks import COURSE, usage
from tests.kvstore.storage.test_client import OTHER_COURSE, ClientTestCase


class Walking(ClientTestCase):
    def test_all_learners_of_a_block_are_read_in_pages(self):
        users = UserFactory.create_batch(7)
        for user in users:
            self.client.set(user.username, usage("block"), {"field": user.pk})
            self.client.set(user.username, usage("other"), {"field": 0})
        # One that was emptied, one that never had a state and one of another course are not among them.
        self.client.delete(users[3].username, usage("block"))
        StudentModuleFactory(student=self.user, module_state_key=usage("block"))
        self.client.set(self.name, OTHER_COURSE.make_usage_key("problem", "block"), {"field": 0})
        with mock.patch.object(reading, "BATCH_SIZE", 2), assert_queries(default=4):
            found = list(self.client.iter_all_for_block(usage("block")))
        expected = [(user.username, user.pk) for user in users if user != users[3]]
        self.assertEqual([(state.username, state.state["field"]) for state in found], expected)
        self.assertEqual({(state.block_key, state.scope) for state in found}, {(usage("block"), Scope.user_state)})

    def test_a_course_is_read_in_pages_whole_or_by_type(self):
        self.store_states(*(f"block{number}" for number in range(5)))
        aside = AsideUsageKeyV2(usage("block0"), "notes")
        video = COURSE.make_usage_key("video", "video")
        self.client.set_many(self.name, {aside: {"field": 1}, video: {"field": 1}})
        self.client.set(self.name, OTHER_COURSE.make_usage_key("problem", "block"), {"field": 0})
        for block_type, count in ((None, 7), ("problem", 5), ("notes", 1), ("video", 1), ("Video", 0)):
            with self.subTest(block_type=block_type), mock.patch.object(reading, "BATCH_SIZE", 3):
                with assert_queries(default=count // 3 + 1):
                    found = list(self.client.iter_all_for_course(COURSE, block_type))
                self.assertEqual(len({state.block_key for state in found}), count)
        self.assertEqual(next(self.client.iter_all_for_course(COURSE, "notes")).block_key, aside)

    def test_rows_created_or_deleted_during_a_walk_neither_repeat_nor_hide_others(self):
        keys = self.store_states(*(f"block{number}" for number in range(6)))
        with mock.patch.object(reading, "BATCH_SIZE", 2):
            states = self.client.iter_all_for_course(COURSE)
            found = [next(states).block_key, next(states).block_key]
            StudentModule.objects.get(module_state_key=keys[0]).delete()
            found += [state.block_key for state in states]
        self.assertEqual(found, keys)


class CorruptRows(ClientTestCase):
    def setUp(self):
        super().setUp()
        self.keys = self.store_states(*(f"block{number}" for number in range(30)))
        rows = StudentModule.objects.order_by("id")
        self.bad = [row.pk for row in rows if row.module_state_key in self.keys[3:28]]
        with connection.cursor() as cursor:
            for row_id in self.bad:
                cursor.execute("UPDATE xblock_kvstore_studentmodule SET state = '[1' WHERE id = %s", [row_id])
        self.good = [*self.keys[:3], *self.keys[28:]]

    def test_the_readable_rows_come_first_and_then_the_error_names_the_others(self):
        for states in (
            self.client.get_many(self.name, self.keys),
            self.client.iter_all_for_course(COURSE),
            self.client.iter_all_for_course(COURSE, "problem"),
        ):
            found = []
            with self.assertLogs("kvstore", "ERROR") as logged, self.assertRaises(CorruptState) as caught:
                for state in states:
                    found.append(state.block_key)
            self.assertEqual(found, self.good)
            self.assertEqual((caught.exception.row_ids, caught.exception.count), (tuple(self.bad[:20]), 25))
            self.assertIn("25 row(s) of xblock_kvstore_studentmodule", str(caught.exception))
            self.assertEqual(len(logged.records), 25)

    def test_a_block_with_corrupt_state_is_not_reported_as_missing(self):
        with self.assertLogs("kvstore", "ERROR"), self.assertRaises(CorruptState) as caught:
            self.client.get(self.name, self.keys[3])
        self.assertEqual(caught.exception.row_ids, (self.bad[0],))

    def test_a_corrupt_state_is_not_written_over_but_can_be_deleted_whole(self):
        key = self.keys[3]
        for write in (
            lambda: self.client.set(self.name, key, {"field": 1}),
            lambda: self.client.delete(self.name, key, fields=["field"]),
        ):
            with self.assertRaises(CorruptState):
                write()
        self.client.delete(self.name, key)
        self.client.set(self.name, key, {"field": 1})
        self.assertEqual(self.client.get(self.name, key).state, {"field": 1})


class History(ClientTestCase):
    def history(self, key):
        return [state.state for state in self.client.get_history(self.name, key)]

    def test_versions_come_newest_first_and_emptied_ones_are_none(self):
        (key,) = self.store_states("block", one=1)
        self.client.set(self.name, key, {"two": 2})
        self.client.delete(self.name, key, fields=["one"])
        self.client.delete(self.name, key)
        self.client.set(self.name, key, {"three": 3})
        expected = [{"three": 3}, None, {"two": 2}, {"one": 1, "two": 2}, {"one": 1}]
        found = list(self.client.get_history(self.name, key))
        self.assertEqual([state.state for state in found], expected)
        moments = [state.updated for state in found]
        self.assertEqual(moments, sorted(set(moments), reverse=True))
        self.assertEqual(moments[0], StudentModule.objects.get().modified)
        self.assertEqual({(state.username, state.block_key) for state in found}, {(self.name, key)})

    def test_a_write_that_changes_nothing_makes_no_version(self):
        (key,) = self.store_states("block", one=1)
        self.client.set(self.name, key, {"one": 1})
        self.assertEqual(self.history(key), [{"one": 1}])

    def test_a_type_that_is_not_recorded_has_no_history(self):
        key = usage("html", "html")
        self.client.set(self.name, key, {"field": 1})
        self.assertRaises(self.client.DoesNotExist, self.client.get_history, self.name, key)

    def test_history_outlives_the_row_and_goes_on_with_the_next_one(self):
        (key,) = self.store_states("block", one=1)
        StudentModule.objects.get().delete()
        self.assertEqual(self.history(key), [None, {"one": 1}])
        self.client.set(self.name, key, {"two": 2})
        self.assertEqual(self.history(key), [{"two": 2}, None, {"one": 1}])

    def test_an_aside_is_recorded_by_its_own_type(self):
        key = AsideUsageKeyV2(usage("block"), "notes")
        for types, expected in ((("problem",), 0), (("notes",), 1), ("*", 2)):
            with self.settings(HISTORY_BLOCK_TYPES=types):
                self.client.set(self.name, key, {"types": list(types)})
            with self.subTest(types=types):
                found = []
                try:
                    found = self.history(key)
                except self.client.DoesNotExist:
                    self.assertEqual(expected, 0)
                self.assertEqual(len(found), expected)
