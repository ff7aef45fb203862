"""The client beyond the shared suite: order, chunks, immediate errors, unknown learners."""

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.test import TestCase, modify_settings
from opaque_keys.edx.keys import CourseKey, UsageKey
from xblock.fields import BlockScope, Scope, UserScope

from kvstore.api import (
    DjangoXBlockUserStateClient,
    HistoryNotInstalled,
    UnknownLearner,
    UnstorableValue,
    UnsupportedScope,
    UnusableKey,
)
from kvstore.models import StudentModule
from kvstore.testing import StudentModuleFactory, UserFactory, assert_queries
from tests.kvstore.cache.blocks import COURSE, usage

OTHER_COURSE = CourseKey.from_string("course-v1:Org+Course+Other")


class ClientTestCase(TestCase):
    """Everything rolls back on both aliases."""

    databases = {"default", "student_module_history"}

    @classmethod
    def setUpTestData(cls):
        cls.user = UserFactory()
        cls.name = cls.user.username

    def setUp(self):
        # In place of Django's client for pages.
        self.client = DjangoXBlockUserStateClient()

    def store_states(self, *names, **state):
        keys = [usage(name) for name in names]
        self.client.set_many(self.name, {key: state or {"name": key.block_id} for key in keys})
        return keys

    def calls(self, key, scope=Scope.user_state, name=None):
        """Return every method of the client, to be called with this key and scope."""
        name = self.name if name is None else name
        return {
            "get": lambda: self.client.get(name, key, scope),
            "get_many": lambda: self.client.get_many(name, [key], scope),
            "set": lambda: self.client.set(name, key, {"field": 1}, scope),
            "set_many": lambda: self.client.set_many(name, {key: {"field": 1}}, scope),
            "delete": lambda: self.client.delete(name, key, scope),
            "delete_many": lambda: self.client.delete_many(name, [key], scope),
            "get_history": lambda: self.client.get_history(name, key, scope),
            "iter_all_for_block": lambda: self.client.iter_all_for_block(key, scope),
        }


class Reading(ClientTestCase):
    def test_states_are_in_the_requested_order_for_every_chunk_size(self):
        keys = self.store_states(*(f"block{number}" for number in range(25)))
        asked = [*reversed(keys), usage("missing")]
        with self.settings(KVSTORE_CHUNK_SIZE=10), assert_queries(default=3):
            found = [state.block_key for state in self.client.get_many(self.name, iter(asked))]
        self.assertEqual(found, asked[:-1])

    def test_a_block_of_two_courses_is_two_blocks(self):
        here, there = usage("block"), OTHER_COURSE.make_usage_key("problem", "block")
        self.client.set_many(self.name, {here: {"at": "here"}, there: {"at": "there"}})
        found = [state.state["at"] for state in self.client.get_many(self.name, [there, here])]
        self.assertEqual(found, ["there", "here"])

    def test_one_block_of_two_learners_is_two_states(self):
        other = UserFactory()
        self.store_states("block", field=1)
        self.client.set(other.username, usage("block"), {"field": 2})
        self.client.delete(self.name, usage("block"))
        self.assertEqual(self.client.get(other.username, usage("block")).state, {"field": 2})
        self.assertRaises(self.client.DoesNotExist, self.client.get, self.name, usage("block"))

    def test_an_old_key_is_returned_with_its_run(self):
        for run in ("RunA", "RunB"):
            key = UsageKey.from_string("i4x://Org/C/problem/b").map_into_course(CourseKey.from_string(f"Org/C/{run}"))
            self.client.set(self.name, key, {"run": run})
            with self.subTest(run=run):
                self.assertEqual(self.client.get(self.name, key).state, {"run": run})
                for states in (
                    self.client.iter_all_for_block(key),
                    self.client.iter_all_for_course(key.course_key),
                    self.client.get_history(self.name, key),
                ):
                    self.assertEqual([(state.block_key, state.state) for state in states], [(key, {"run": run})])

    def test_only_the_requested_fields_are_returned_and_without_any_the_state_is_missing(self):
        (key,) = self.store_states("block", one=1, two=2)
        for fields, expected in ((["two"], {"two": 2}), (["one", "none"], {"one": 1}), (iter(["one"]), {"one": 1})):
            with self.subTest(fields=fields):
                self.assertEqual(self.client.get(self.name, key, fields=fields).state, expected)
        with self.assertRaises(self.client.DoesNotExist):
            self.client.get(self.name, key, fields=["none"])
        self.assertEqual(list(self.client.get_many(self.name, [key], fields=["none"])), [])

    def test_the_state_returned_may_be_changed(self):
        (key,) = self.store_states("block", field=[1])
        self.client.get(self.name, key).state["field"].append(2)
        self.assertEqual(self.client.get(self.name, key).state, {"field": [1]})

    def test_no_state_is_lost_where_two_keys_are_one_block(self):
        plain, draft = usage("block"), usage("block").for_branch("draft")
        self.client.set_many(self.name, {plain: {"a": 1}, draft: {"b": 2}})
        self.assertEqual(self.client.get(self.name, plain).state, {"a": 1, "b": 2})


class Writing(ClientTestCase):
    def test_a_state_can_be_set_again_after_it_was_deleted(self):
        (key,) = self.store_states("block", old=1)
        self.client.delete(self.name, key)
        self.client.set(self.name, key, {"new": 2})
        self.assertEqual(self.client.get(self.name, key).state, {"new": 2})
        self.assertEqual(StudentModule.objects.get().version, 3)

    def test_only_a_change_is_a_version(self):
        row = StudentModuleFactory(
            student=self.user, module_state_key=usage("block"), state='{ "one": 1, "list": [1, 2], "text": "\u00e9" }'
        )
        key = row.module_state_key
        same = ({}, {"one": 1}, {"list": [1, 2], "text": "\u00e9"})
        for fields in same:
            self.client.set(self.name, key, fields)
        self.client.delete(self.name, key, fields=["none"])
        stored = StudentModule.objects.get()
        self.assertEqual((stored.version, stored.state), (row.version, row.state))
        for count, fields in enumerate(({"one": True}, {"one": 1.0}, {"list": [1, True]}, {"new": None}), start=1):
            with self.subTest(fields=fields):
                self.client.set(self.name, key, fields)
                self.assertEqual(StudentModule.objects.get().version, row.version + count)

    def test_emptying_an_empty_state_makes_no_version(self):
        for number, state in enumerate((None, "{}", "{ }")):
            key = usage(f"block{number}")
            row = StudentModuleFactory(student=self.user, module_state_key=key, state=state)
            self.client.delete(self.name, key)
            self.assertEqual(StudentModule.objects.get(pk=row.pk).version, row.version)

    def test_an_empty_state_reads_as_missing_and_takes_nothing_away(self):
        key = usage("block")
        self.client.set(self.name, key, {})
        self.assertRaises(self.client.DoesNotExist, self.client.get, self.name, key)
        self.client.set(self.name, key, {"field": 1})
        self.client.set(self.name, key, {})
        self.assertEqual(self.client.get(self.name, key).state, {"field": 1})

    def test_deleting_a_missing_field_changes_nothing(self):
        never = StudentModuleFactory(student=self.user, module_state_key=usage("never"))
        (key,) = self.store_states("block", field=1)
        self.client.delete_many(self.name, [never.module_state_key, usage("none")])
        self.client.delete(self.name, key, fields=["none"])
        self.client.delete_many(self.name, [key], fields=iter([]))
        self.client.set_many(self.name, {})
        rows = StudentModule.objects.order_by("id").values_list("state", "version")
        self.assertEqual(list(rows), [(None, 1), ('{"field":1}', 1)])

    def test_bad_values_and_names_are_refused_before_anything_is_stored(self):
        for state, error in (({"field": {1}}, UnstorableValue), ({"": 1}, UnusableKey), ({5: 1}, UnusableKey)):
            with self.subTest(state=state), assert_queries(), self.assertRaises(error):
                self.client.set_many(self.name, {usage("good"): {"field": 1}, usage("bad"): state})

    def test_the_user_given_is_not_looked_up(self):
        client = DjangoXBlockUserStateClient(self.user)
        other = UserFactory()
        with assert_queries(default=4, student_module_history=1):
            client.set(self.name, usage("block"), {"field": 1})
        with assert_queries(default=5, student_module_history=1):
            client.set(other.username, usage("block"), {"field": 2})
        states = [client.get(name, usage("block")).state["field"] for name in (self.name, other.username)]
        self.assertEqual(states, [1, 2])


class ErrorsAtTheCall(ClientTestCase):
    def test_another_scope_is_refused_when_called(self):
        for scope in (Scope.preferences, Scope.settings, Scope.children, Scope(UserScope.NONE, BlockScope.TYPE), None):
            calls = self.calls(usage("block"), scope)
            calls["iter_all_for_course"] = lambda scope=scope: self.client.iter_all_for_course(COURSE, None, scope)
            for name, call in calls.items():
                for old_error in (UnsupportedScope, ValueError):
                    with self.subTest(scope=scope, method=name), assert_queries(), self.assertRaises(old_error):
                        call()

    def test_a_key_that_no_state_is_kept_under_is_refused_when_called(self):
        for key in (str(usage("block")), COURSE, None, UsageKey.from_string("i4x://Org/C/problem/b")):
            for name, call in self.calls(key).items():
                with self.subTest(key=key, method=name), assert_queries(), self.assertRaises(UnusableKey):
                    call()
        for key in (str(COURSE), usage("block"), None):
            with self.subTest(key=key), self.assertRaises(UnusableKey):
                self.client.iter_all_for_course(key)

    def test_absent_operations_raise_an_error_when_called(self):
        for name in ("get", "get_history"):
            with self.subTest(method=name), self.assertRaises(self.client.DoesNotExist):
                self.calls(usage("missing"))[name]()

    def test_history_without_its_app_is_an_error_when_called(self):
        (key,) = self.store_states("block")
        with modify_settings(INSTALLED_APPS={"remove": "history"}), self.assertRaises(HistoryNotInstalled):
            self.client.get_history(self.name, key)


class AnonymousUserClient(ClientTestCase):
    def assert_nothing_to_read(self, client, name):
        self.client = client
        calls = self.calls(usage("block"), name=name)
        self.assertEqual(list(calls["get_many"]()), [])
        for method in ("get", "get_history"):
            with self.subTest(name=name, method=method), self.assertRaises(client.DoesNotExist):
                calls[method]()

    def test_an_unknown_learner_has_no_state(self):
        for client in (self.client, DjangoXBlockUserStateClient(self.user)):
            self.assert_nothing_to_read(client, "nobody")

    def test_writing_for_an_unknown_learner_is_an_error(self):
        for client, name in (
            (self.client, "nobody"),
            (self.client, ""),
            (DjangoXBlockUserStateClient(AnonymousUser()), "nobody"),
            (DjangoXBlockUserStateClient(get_user_model()(username="unsaved")), "unsaved"),
        ):
            self.client = client
            for method in ("set", "set_many", "delete", "delete_many"):
                with self.subTest(name=name, method=method), self.assertRaises(UnknownLearner):
                    self.calls(usage("block"), name=name)[method]()
        self.assertFalse(StudentModule.objects.exists())

    def test_the_anonymous_user_reads_nothing_and_stores_nothing(self):
        client = self.client = DjangoXBlockUserStateClient(AnonymousUser())
        for method in ("set", "set_many", "delete", "delete_many"):
            with assert_queries():
                self.calls(usage("block"), name="")[method]()
        self.assertFalse(StudentModule.objects.exists())
        self.assert_nothing_to_read(client, "")
