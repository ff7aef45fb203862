"""Flags for suspicious changes in a version, compared with the previous one."""

import json
from datetime import timedelta

from django.test import SimpleTestCase

from history.comparison.diff import diff
from history.comparison.flags import Flag, flags_for
from history.models import PendingHistory
from tests.history.entries import START, entry
from tests.history.hostile import READABLE, STATES, UNREADABLE


def between(older, newer):
    """Return the flags of a version after the state ``older``."""
    return {*flags_for(entry(2, json.dumps(newer)), entry(1, json.dumps(older)))}


class FlagsOfTheState(SimpleTestCase):
    def test_an_ordinary_change_has_none(self):
        for older, newer in (({}, {"a": 1}), ({"a": 1}, {"a": 2, "attempts": 1}), ({"a": None}, {"a": ""})):
            with self.subTest(older=older, newer=newer):
                self.assertEqual(between(older, newer), set())

    def test_a_field_vanished(self):
        self.assertEqual(between({"a": 1, "b": 2}, {"b": 2}), {Flag.FIELD_REMOVED})
        # Inside a field is not a field.
        self.assertEqual(between({"a": {"x": 1}}, {"a": {"x": 2}}), set())

    def test_answers_emptied(self):
        answers = {"x_2_1": "choice_1", "x_3_1": ["choice_0", "choice_2"]}
        for newer in ({}, None, {"x_2_1": "choice_1"}, answers | {"x_2_1": ""}, answers | {"x_3_1": []}):
            with self.subTest(newer=newer):
                self.assertEqual(
                    between({"student_answers": answers}, {"student_answers": newer}), {Flag.ANSWERS_EMPTIED}
                )
        self.assertEqual(between({"anything": "text"}, {"anything": ""}), {Flag.ANSWERS_EMPTIED})

    def test_answers_changed_are_not_emptied(self):
        answers = {"x_2_1": "choice_1", "x_3_1": ["choice_0", "choice_2"]}
        for newer in (answers | {"x_2_1": "choice_2"}, answers | {"x_3_1": ["choice_0"]}, answers | {"x_4_1": ""}):
            with self.subTest(newer=newer):
                self.assertEqual(between({"student_answers": answers}, {"student_answers": newer}), set())
        # Only the field of answers loses something when one thing in it goes.
        self.assertEqual(between({"correct_map": {"x": 1, "y": 2}}, {"correct_map": {"x": 1}}), set())

    def test_answers_gone_with_their_field_and_with_the_whole_state(self):
        gone = {Flag.ANSWERS_EMPTIED, Flag.FIELD_REMOVED}
        self.assertEqual(between({"student_answers": {"x": "a"}, "b": 1}, {"b": 1}), gone)
        self.assertEqual(between({"a": 1}, {}), gone)
        self.assertEqual({*flags_for(entry(2, None), entry(1, '{"a":1}'))}, gone)

    def test_attempts_went_down(self):
        for newer in (1, 0, None):
            with self.subTest(newer=newer):
                self.assertEqual(between({"attempts": 2}, {"attempts": newer}), {Flag.ATTEMPTS_DECREASED})
        self.assertEqual(between({"attempts": 2, "a": 1}, {"a": 1}), {Flag.ATTEMPTS_DECREASED, Flag.FIELD_REMOVED})
        for older, newer in (({"attempts": 1}, {"attempts": 2}), ({"attempts": True}, {"attempts": False})):
            self.assertEqual(between(older, newer), set())
        self.assertEqual(between({"other": 2}, {"other": 1}), set())

    def test_fields_late_in_a_long_state_are_compared(self):
        older = {f"a{i:03}": 1 for i in range(900)} | {"attempts": 3}
        newer = {f"a{i:03}": 2 for i in range(900)} | {"attempts": 2}
        self.assertEqual(between(older, newer), {Flag.ATTEMPTS_DECREASED})

    def test_unreadable(self):
        for name, text in UNREADABLE.items():
            with self.subTest(name):
                self.assertEqual(flags_for(entry(2, text), entry(1)), (Flag.UNREADABLE,))
                self.assertEqual(flags_for(entry(1, text), None), (Flag.UNREADABLE,))
                self.assertEqual(flags_for(entry(2), entry(1, text)), ())
        for name, text in READABLE.items():
            with self.subTest(name):
                self.assertEqual(flags_for(entry(1, text), None), ())

    def test_a_given_difference_gives_the_same_flags(self):
        for name, text in STATES.items():
            with self.subTest(name):
                newer, older = entry(2, text), entry(1, '{"a":"x","attempts":2}')
                self.assertEqual(flags_for(newer, older, diff(older.state, text, limit=1)), flags_for(newer, older))


class FlagsOfTheGrade(SimpleTestCase):
    def grades(self, older, newer):
        newer, older = (
            entry(version, grade=grade, max_grade=most) for version, (grade, most) in ((2, newer), (1, older))
        )
        return flags_for(newer, older)

    def test_fell(self):
        for older, newer in (
            ((2, 2), (1, 2)),
            ((2, 2), (2, 4)),
            ((1, 1), (3, 4)),
            ((2, None), (1, None)),
            ((2, None), (1, 2)),
            ((2, 0), (1, 0)),
            ((0, 1), (None, 1)),
            ((1, 2), (None, None)),
            ((0, 2), (-1, 2)),
        ):
            with self.subTest(older=older, newer=newer):
                self.assertEqual(self.grades(older, newer), (Flag.GRADE_DECREASED,))

    def test_did_not(self):
        for older, newer in (
            ((None, None), (0, 1)),
            ((None, None), (None, None)),
            ((1, 2), (1, 2)),
            ((1, 2), (2, 2)),
            ((3, 4), (2, 2)),
            # The same share, but for rounding.
            ((0.1, 0.3), (1, 3)),
            ((1e308, 1e-308), (1e308, 1e-308)),
        ):
            with self.subTest(older=older, newer=newer):
                self.assertEqual(self.grades(older, newer), ())


class FlagsOfTheVersion(SimpleTestCase):
    def test_a_pending_entry(self):
        self.assertEqual(flags_for(entry(model=PendingHistory), None), (Flag.PENDING,))

    def test_a_gap_in_one_row(self):
        self.assertEqual(flags_for(entry(4), entry(2)), (Flag.GAP,))
        self.assertEqual(flags_for(entry(3), entry(2)), ())
        self.assertEqual(flags_for(entry(4, student_module_id=8), entry(2)), ())
        self.assertEqual(flags_for(entry(4), None), ())

    def test_less_than_a_second_after_another(self):
        def after(seconds, one="x", other="y"):
            later = entry(2, created=START + timedelta(seconds=seconds), request_id=one)
            return flags_for(later, entry(1, created=START, request_id=other))

        self.assertEqual(after(0.999), (Flag.SAME_SECOND,))
        self.assertEqual(after(-0.5), (Flag.SAME_SECOND,))
        self.assertEqual(after(0, "", ""), (Flag.SAME_SECOND,))
        self.assertEqual(after(0, "x", "x"), ())
        self.assertEqual(after(1), ())

    def test_a_deletion_is_one_flag_and_the_next_version_is_compared_with_nothing(self):
        older = entry(1, '{"student_answers":{"x":"a"}}', grade=1.0)
        deleted = entry(2, None, action="deleted")
        self.assertEqual(flags_for(deleted, older), (Flag.DELETED,))
        again = entry(1, "{}", student_module_id=8, created=deleted.created)
        self.assertEqual(flags_for(again, deleted), ())
        self.assertEqual(flags_for(entry(1, "{", student_module_id=8), older), (Flag.UNREADABLE,))

    def test_the_most_severe_flag_is_first(self):
        older = entry(1, '{"attempts":2,"student_answers":{"x":"a"}}', grade=1.0, created=START)
        newer = entry(3, '{"student_answers":{}}', PendingHistory, created=START)
        self.assertEqual(flags_for(newer, older), tuple(flag for flag in Flag if flag not in ("deleted", "unreadable")))

    def test_each_has_a_label_and_a_sentence(self):
        for flag in Flag:
            with self.subTest(flag):
                self.assertTrue(str(flag.label))
                self.assertTrue(str(flag.explanation).endswith("."))
