"""The difference of two stored states. No text makes the comparison fail."""

import itertools
import json
from unittest import mock

from django.test import SimpleTestCase
from hypothesis import given, settings
from hypothesis import strategies as st

from history.comparison.diff import LIMIT, MAX_VALUES, Difference, diff
from history.comparison.formatting import MAX_PATH_CHARACTERS, format_path, format_value
from history.comparison.json_diff import ChangeKind
from kvstore.staff.text import escape_unprintable
from tests.history.hostile import STATES, UNREADABLE, UNSTORABLE

SCALARS = (
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.0, -0.0, 1.0, 2.5, "", "1", "\ud800", "\0"])
)
# Few names and values, so that two drawn values have much in common.
NAMES = st.sampled_from(["a", "b", "", "a.b", "0"])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)
STATE = st.dictionaries(NAMES, VALUES, max_size=4)
TEXTS = st.none() | STATE.map(json.dumps) | VALUES.map(json.dumps) | st.text()


def changes(older, newer, **options):
    """Return the changes between two states as path, kind, old and new."""
    return [
        (change.path_text, str(change.kind), change.old, change.new)
        for change in diff(json.dumps(older), json.dumps(newer), **options).changes
    ]


def canonical(value):
    """Return a text that values share if and only if they are the same to JSON, type and sign of zero included."""
    return json.dumps(value, sort_keys=True)


def applied(state, difference):
    """Make the changes to a state, and return it."""
    removed = [change for change in difference.changes if change.kind == "removed"]
    for change in [change for change in difference.changes if change.kind == "changed"]:
        _holder(state, change.path)[change.path[-1]] = change.new
    # From the end, so that positions in a list hold until they are used; then additions from the beginning.
    for change in reversed(removed):
        del _holder(state, change.path)[change.path[-1]]
    for change in [change for change in difference.changes if change.kind == "added"]:
        holder = _holder(state, change.path)
        if isinstance(holder, list):
            holder.insert(change.path[-1], change.new)
        else:
            holder[change.path[-1]] = change.new
    return state


def _holder(state, path):
    for step in path[:-1]:
        state = state[step]
    return state


class Changes(SimpleTestCase):
    def test_added_removed_and_changed_fields_in_the_order_of_their_names(self):
        self.assertEqual(
            changes({"z": 1, "same": [1], "gone": None}, {"same": [1], "new": {"x": 1}, "z": 2}),
            [("gone", "removed", None, None), ("new", "added", None, {"x": 1}), ("z", "changed", 1, 2)],
        )

    def test_similar_values_that_are_not_equal(self):
        alike = (1, True, 1.0, "1"), (0, False, 0.0, -0.0, None, "", [], {}, "0")
        for one, other in itertools.chain.from_iterable(itertools.permutations(values, 2) for values in alike):
            with self.subTest(one=one, other=other):
                self.assertEqual(len(changes({"a": one}, {"a": other})), 1)
                self.assertEqual(len(changes({"a": [{"b": one}]}, {"a": [{"b": other}]})), 1)
                # Nor are they alike where elements are looked for that moved.
                self.assertEqual(len(changes({"a": [one]}, {"a": [other, one]})), 1)
                self.assertEqual(len(changes({"a": [[one]]}, {"a": [[other], [one]]})), 1)

    def test_neither_the_order_of_names_nor_white_space_is_a_change(self):
        self.assertFalse(diff('{"a":1,"b":{"c":2,"d":3}}', ' {"b": {"d": 3, "c": 2}, "a": 1}'))

    def test_of_a_name_that_is_there_twice_the_last_counts(self):
        self.assertFalse(diff('{"a":1,"a":2}', '{"a":2}'))

    def test_never_seen_has_no_fields(self):
        self.assertFalse(diff(None, "{}"))
        self.assertEqual(changes({}, {"a": 1}), [("a", "added", None, 1)])
        self.assertEqual([change.kind for change in diff('{"a":1}', None).changes], ["removed"])

    def test_lists(self):
        for older, newer, expected in (
            ([1, 2], [1, 2, 3], [("x[2]", "added", None, 3)]),
            ([1, 2, 3], [1], [("x[1]", "removed", 2, None), ("x[2]", "removed", 3, None)]),
            ([0, 0], [0, 0, 0], [("x[2]", "added", None, 0)]),
            ([{"n": 1}, {"n": 2}], [{"n": 0}, {"n": 1}, {"n": 2}], [("x[0]", "added", None, {"n": 0})]),
            ([1, 2, 3, 4], [1, 3, 4], [("x[1]", "removed", 2, None)]),
            ([1, {"a": 1}], [1, {"a": 2}], [("x[1].a", "changed", 1, 2)]),
            ([1, 5, 3], [1, 6, 7, 3], [("x[1]", "changed", 5, 6), ("x[2]", "added", None, 7)]),
            ([], [[]], [("x[0]", "added", None, [])]),
            ([], {}, [("x", "changed", [], {})]),
        ):
            with self.subTest(older=older, newer=newer):
                self.assertEqual(changes({"x": older}, {"x": newer}), expected)

    def test_the_search_for_moved_items_of_a_list_ends(self):
        tail = list(range(50_000))
        with mock.patch("history.comparison.json_diff.MAX_ALIGNMENT_STEPS", 10_000):
            self.assertGreater(diff(json.dumps({"x": tail}), json.dumps({"x": [-1, *tail]})).count, 1)

    def test_states_with_too_many_values_are_compared_as_text(self):
        older, newer = ([number] * (MAX_VALUES // 2 + 1) for number in (1, 2))
        difference = diff(json.dumps({"x": older}), json.dumps({"x": newer}))
        self.assertTrue(difference and difference.has_too_many_values and not difference.readable)
        self.assertEqual([change.path for change in difference.changes], [()])
        self.assertEqual((difference.count, difference.fields, difference.newer_error), (1, (), ""))
        large = json.dumps({"x": older + newer})
        self.assertFalse(diff(large, large))
        self.assertTrue(diff(large, "{}").emptied and diff(large, None).emptied)
        self.assertFalse(diff(large, '{"x":1}').emptied or diff(None, large).emptied)
        self.assertTrue(diff(large, "no JSON").newer_error)

    def test_as_many_changes_as_asked_for_and_the_count_of_all(self):
        older, newer = {"x": {}, "y": 1}, {"x": {f"n{i:04}": i for i in range(1000)}, "y": 2}
        difference = diff(json.dumps(older), json.dumps(newer))
        self.assertEqual((len(difference.changes), difference.count), (LIMIT, 1001))
        self.assertEqual(difference.changes[-1].path, ("x", "n0199"))
        self.assertEqual(difference.changed_fields(), {"x": "changed", "y": "changed"})
        none = diff(json.dumps(older), json.dumps(newer), limit=0)
        self.assertEqual((none.changes, none.count, none.fields), ((), 1001, difference.fields))

    def test_deep_states_are_compared_to_the_bottom(self):
        older, newer = ('{"a":' * 150 + end + "}" * 150 for end in "12")
        (change,) = diff(older, newer).changes
        self.assertEqual((change.path, change.old, change.new), (("a",) * 150, 1, 2))


class Fields(SimpleTestCase):
    def field(self, older, newer):
        (field,) = diff(json.dumps({"a": older}), json.dumps({"a": newer})).fields
        return field

    def test_each_with_its_kind(self):
        difference = diff('{"gone":1,"same":1,"x":[1]}', '{"same":1,"x":[2],"new":null}')
        self.assertEqual(difference.changed_fields(), {"gone": "removed", "new": "added", "x": "changed"})

    def test_emptied(self):
        for older in ({"x": 1}, [0], "text"):
            for newer in ({}, [], "", None):
                with self.subTest(older=older, newer=newer):
                    self.assertTrue(self.field(older, newer).emptied)
        for older, newer in (([], None), (0, None), (1, 0), ("text", "t"), ([1], [0]), (True, False), ({"x": 1}, 0)):
            with self.subTest(older=older, newer=newer):
                self.assertFalse(self.field(older, newer).emptied)
        self.assertTrue(diff('{"a":1}', "{}").emptied)
        self.assertTrue(diff('{"a":1}', None).emptied)
        self.assertFalse(diff(None, "{}").emptied)

    def test_lessened(self):
        for older, newer in (({"x": 1}, {}), ({"x": "a"}, {"x": ""}), ({"x": ["a"]}, {"x": []}), ([1, 2], [1])):
            with self.subTest(older=older, newer=newer):
                self.assertTrue(self.field(older, newer).lost_items)
        for older, newer in (
            ({}, {"x": 1}),
            ({"x": "a"}, {"x": "b"}),
            # One of several choices was taken back.
            ({"x": ["a", "b"]}, {"x": ["a"]}),
        ):
            with self.subTest(older=older, newer=newer):
                self.assertFalse(self.field(older, newer).lost_items)

    def test_fell(self):
        for older, newer, fell in ((2, 1, True), (1, None, True), (1, 2, False), (1, "0", False), (True, False, False)):
            with self.subTest(older=older, newer=newer):
                self.assertEqual(self.field(older, newer).decreased, fell)
        self.assertTrue(diff('{"a":1}', "{}").fields[0].decreased)


class Unreadable(SimpleTestCase):
    def test_the_texts_are_compared_and_the_reason_is_given(self):
        for name, text in UNREADABLE.items():
            with self.subTest(name):
                to, since, still = diff('{"a":1}', text), diff(text, None), diff(text, text)
                self.assertEqual([tuple(change) for change in to.changes], [((), "changed", '{"a":1}', text)])
                self.assertTrue(to.newer_error and not to.older_error)
                self.assertEqual([tuple(change) for change in since.changes], [((), "removed", text, None)])
                self.assertTrue(since.older_error and not since.newer_error)
                self.assertEqual((still.count, still.older_error), (0, still.newer_error))
                self.assertFalse(to.readable or since.readable or still.readable)
                self.assertEqual((to.fields, to.emptied), ((), False))

    def test_no_pair_of_hostile_states_makes_it_fail(self):
        states = STATES | UNSTORABLE
        small = {name: text for name, text in states.items() if len(text or "") < 10_000}
        partners = {name: text for name, text in small.items() if name in ("never seen", "numbers alike", "NaN")}
        pairs = [*itertools.product(small.items(), small.items())]
        pairs += [
            pair for large in states.items() - small.items() for pair in itertools.product([large], partners.items())
        ]
        for (one_name, one), (other_name, other) in pairs:
            with self.subTest(one=one_name, other=other_name):
                self.assert_bounded(diff(one, other, limit=3))
                self.assert_bounded(diff(other, one, limit=3))

    def assert_bounded(self, difference):
        self.assertEqual(bool(difference), difference.count > 0)
        for change in difference.changes:
            for text in (change.path_text, change.old_text, change.new_text):
                self.assertTrue(text.isprintable())
                self.assertLess(len(text), MAX_PATH_CHARACTERS + 40)


class Properties(SimpleTestCase):
    @settings(max_examples=300, deadline=None, derandomize=True)
    @given(STATE, STATE)
    def test_the_changes_made_to_the_older_give_the_newer(self, older, newer):
        difference = diff(json.dumps(older), json.dumps(newer), limit=10_000)
        self.assertEqual(difference.count, len(difference.changes))
        self.assertEqual(canonical(applied(json.loads(json.dumps(older)), difference)), canonical(newer))
        names = {name for name in older.keys() | newer.keys() if not self.same_field(name, older, newer)}
        self.assertEqual(list(difference.changed_fields()), sorted(names))

    def same_field(self, name, older, newer):
        return name in older and name in newer and canonical(older[name]) == canonical(newer[name])

    @settings(max_examples=200, deadline=None, derandomize=True)
    @given(STATE, STATE)
    def test_there_is_a_change_if_and_only_if_they_differ(self, older, newer):
        self.assertEqual(bool(diff(json.dumps(older), json.dumps(newer))), canonical(older) != canonical(newer))

    @settings(max_examples=200, deadline=None, derandomize=True)
    @given(TEXTS, TEXTS)
    def test_no_text_makes_it_fail(self, older, newer):
        self.assertIsInstance(diff(older, newer), Difference)


class Shown(SimpleTestCase):
    def test_values_on_one_line(self):
        self.assertEqual(format_value({"a": [1, True, None, 1.0, "é 潮"]}), '{"a": [1, true, null, 1.0, "é 潮"]}')

    def test_long_values_are_truncated_with_a_notice(self):
        self.assertEqual(format_value("x" * 1000, 10), '"xxxxxxxxx… (1002 characters)')
        self.assertEqual(format_value("x" * 8, 10), '"xxxxxxxx"')

    def test_unprintable_characters_are_escaped(self):
        self.assertEqual(
            format_value("\x1b[31m\x9b\x7f\0\ud800\u202e\u200b\u2028\U000e0001"),
            '"\\u001b[31m\\u009b\\u007f\\u0000\\ud800\\u202e\\u200b\\u2028\\udb40\\udc01"',
        )

    def test_escapes_do_not_make_it_longer_than_asked(self):
        self.assertEqual(format_value("\u202e" * 9, 12), '"\\u202e\\u202… (11 characters)')

    def test_a_value_deeper_than_json_writes(self):
        value = []
        for _ in range(100_000):
            value = [value]
        self.assertEqual(format_value(value), "(nested too deeply to show)")

    def test_added_and_removed_values_have_one_text(self):
        added, removed = diff('{"b":null}', '{"a":null}').changes
        self.assertEqual((added.kind, added.old_text, added.new_text), (ChangeKind.ADDED, "", "null"))
        self.assertEqual((removed.kind, removed.old_text, removed.new_text), (ChangeKind.REMOVED, "null", ""))

    def test_visible_text_is_left_alone(self):
        self.assertEqual(escape_unprintable('tide "2" \\ é潮'), 'tide "2" \\ é潮')
        self.assertEqual(escape_unprintable("a\nb\tc"), "a\\nb\\tc")


class PathTexts(SimpleTestCase):
    def test_paths(self):
        for path, text in (
            (("student_answers", "i4x-Org_1", 2), "student_answers.i4x-Org_1[2]"),
            (("a", "b.c", ""), 'a."b.c".""'),
            (("a", "0", 0), "a.0[0]"),
            (("a[0]",), '"a[0]"'),
            (('"',), '"\\""'),
            (("a b", "\x1b", "潮"), '"a b"."\\u001b".潮'),
            ((), "(the whole state)"),
        ):
            with self.subTest(path=path):
                self.assertEqual(format_path(path), text)

    def test_long_paths_are_cut(self):
        self.assertIn("… (1000 characters)", format_path(("n" * 1000,)))

    @settings(max_examples=200, deadline=None, derandomize=True)
    @given(st.lists(st.text(max_size=5) | st.integers(0, 9), min_size=1, max_size=4).map(tuple))
    def test_two_paths_never_have_one_text(self, path):
        seen = self.__dict__.setdefault("seen", {})
        self.assertEqual(seen.setdefault(format_path(path), path), path)
