"""The undo of a change keeps later changes, field by field, and finds conflicts. Reads no database."""

import json

from django.test import SimpleTestCase

from history.incident.merge import NO_ROW, Conflict, UnreadableState, differs, undo
from kvstore.versioning.versions import Values
from tests.history.hostile import READABLE, UNREADABLE

ABSENT = object()


def values(fields=None, grade=None, most=None):
    """Return values with these fields; None for NULL, and text for a state as it is."""
    state = fields if fields is None or isinstance(fields, str) else json.dumps(fields, separators=(",", ":"))
    return Values(state, grade, most)


class States(SimpleTestCase):
    def undo(self, before, after, present):
        return undo(values(present), values(before), values(after), keep_grade=False).state

    def test_one_field_in_each_situation(self):
        # The value before the change, after it, at present, and after the undo; None for a conflict.
        x, y, z = 1, 2, 3
        for before, after, present, expected in (
            (x, y, y, x),
            (x, y, x, x),
            (x, y, z, None),
            (x, y, ABSENT, None),
            (x, x, z, z),
            (x, x, ABSENT, ABSENT),
            (ABSENT, y, y, ABSENT),
            (ABSENT, y, z, None),
            (ABSENT, y, ABSENT, ABSENT),
            (x, ABSENT, ABSENT, x),
            (x, ABSENT, x, x),
            (x, ABSENT, z, None),
            (ABSENT, ABSENT, z, z),
        ):
            states = [{"other": 0} | ({} if one is ABSENT else {"f": one}) for one in (before, after, present)]
            # Present states differ from the one after the change in another field, so that fields are compared.
            states[2]["other"] = 1
            with self.subTest(before=before, after=after, present=present):
                if expected is None:
                    with self.assertRaises(Conflict) as conflict:
                        self.undo(*states)
                    self.assertEqual(conflict.exception.fields, ["f"])
                else:
                    wanted = {"other": 1} | ({} if expected is ABSENT else {"f": expected})
                    self.assertEqual(json.loads(self.undo(*states)), wanted)

    def test_values_are_compared_with_their_types(self):
        for old, new in ((1, True), (1, 1.0), (0, False), ("1", 1), (None, ABSENT), ([], {}), (0.0, -0.0), ("", None)):
            before, after = ({} if one is ABSENT else {"f": one} for one in (old, new))
            with self.subTest(old=old, new=new):
                self.assertEqual(json.loads(self.undo(before, after, after | {"o": 1})), before | {"o": 1})
                with self.assertRaises(Conflict):
                    self.undo(before, after, {"f": "third", "o": 1})

    def test_nested_values_are_one_field_and_their_order_of_names_does_not_matter(self):
        before, after = {"f": {"a": 1, "b": [1, 2]}}, {"f": {"a": 1, "b": [1]}}
        self.assertEqual(json.loads(self.undo(before, after, '{"f":{"b":[1],"a":1},"o":1}')), before | {"o": 1})
        with self.assertRaises(Conflict):
            self.undo(before, after, {"f": {"a": 2, "b": [1]}})

    def test_without_later_changes_the_stored_text_comes_back(self):
        for before in ('{ "a" : 1 }', "{}", None, '{"a":1,"a":2}'):
            with self.subTest(before=before):
                self.assertEqual(self.undo(before, {"a": 3}, {"a": 3}), before)

    def test_if_the_later_change_was_undone_too_the_stored_text_comes_back(self):
        self.assertEqual(self.undo('{ "a" : 1 }', {"a": 2}, '{"a": 2}'), '{ "a" : 1 }')

    def test_what_is_undone_already_keeps_its_text(self):
        self.assertEqual(self.undo({"a": 1}, {"a": 2}, '{ "a" : 1 }'), '{ "a" : 1 }')

    def test_a_created_row_loses_the_added_fields_alone(self):
        self.assertIsNone(undo(values({"a": 1}, 1, 1), NO_ROW, values({"a": 1}, 1, 1), keep_grade=False).state)
        self.assertEqual(json.loads(self.undo(None, {"a": 1}, {"a": 1, "b": 2})), {"b": 2})

    def test_every_conflict_is_named(self):
        before, after = values({"a": 1, "b": 1}, 5, 10), values({"a": 2, "b": 2}, 0, 10)
        with self.assertRaises(Conflict) as conflict:
            undo(values({"a": 3, "b": 3}, 7, 10), before, after, keep_grade=False)
        self.assertEqual(conflict.exception.fields, ["a", "b", "(grade)"])

    def test_hostile_states(self):
        for name, state in READABLE.items():
            with self.subTest(state=name):
                self.assertEqual(self.undo(state, {"harm": 1}, {"harm": 1}), state)
                merged = json.loads(self.undo(state, {"harm": 1}, {"harm": 1, "later": 2}))
                self.assertEqual(merged.pop("later"), 2)
                self.assertEqual(merged, json.loads(state or "{}"))

    def test_unreadable_states(self):
        for name, state in UNREADABLE.items():
            with self.subTest(state=name):
                # Written by the change: the text before it comes back.
                self.assertEqual(self.undo({"a": 1}, state, state), '{"a":1}')
                for states in ((state, {}, {}), ({}, state, {"b": 1}), ({}, {"a": 1}, state)):
                    with self.assertRaises(UnreadableState):
                        self.undo(*states)


class Grades(SimpleTestCase):
    def undo(self, before, after, present, *, keep_grade=False):
        return undo(values("{}", *present), values("{}", *before), values("{}", *after), keep_grade=keep_grade)[1:]

    def test_each_situation(self):
        for before, after, present, expected in (
            ((5, 10), (0, 10), (0, 10), (5, 10)),
            ((5, 10), (0, 10), (5, 10), (5, 10)),
            ((5, 10), (0, 10), (7, 10), None),
            ((5, 10), (5, 10), (7, 10), (7, 10)),
            ((None, None), (0, 10), (0, 10), (None, None)),
            ((5, 10), (None, None), (None, None), (5, 10)),
            ((5, 10), (5, 100), (5, 100), (5, 10)),
            ((5, 10), (5, 100), (6, 100), None),
        ):
            with self.subTest(before=before, after=after, present=present):
                if expected is None:
                    with self.assertRaises(Conflict):
                        self.undo(before, after, present)
                else:
                    self.assertEqual(self.undo(before, after, present), expected)
                self.assertEqual(self.undo(before, after, present, keep_grade=True), present)

    def test_differs(self):
        for one, other, expected in (
            (values({"a": 1}), values('{ "a": 1 }'), False),
            (values({"a": 1}), values({"a": True}), True),
            (values("{}"), values(None), False),
            (values("{}", 1, 2), values("{}", 1, 3), True),
            (values("{"), values("{"), False),
            (values("{"), values("{}"), True),
        ):
            with self.subTest(one=one, other=other):
                self.assertEqual(differs(one, other), expected)
