"""A comparison shows every difference of two states, and takes little time for any pair."""

import json
import random

from django.test import SimpleTestCase

from history.comparison.diff import diff
from history.comparison.side_by_side import MAX_LINE, MAX_LINES, Line, side_by_side


def indented(value):
    return json.dumps(value, indent=2).split("\n")


def compared(older, newer):
    return list(side_by_side(indented(older), indented(newer)))


class LongLines(SimpleTestCase):
    def test_a_difference_behind_the_limit_of_a_line_is_shown(self):
        prose = "word " * 280
        for position in (0, 450, 700, 1390):
            changed = prose[:position] + "X" + prose[position + 1 :]
            with self.subTest(position=position):
                (line,) = (line for line in compared({"a": prose}, {"a": changed}) if line.kind != "same")
                self.assertEqual(line.kind, "changed")
                self.assertIn("X", line.right)
                self.assertNotIn("X", line.left)
                self.assertLessEqual(len(line.right), MAX_LINE + 2)
                (change,) = diff(json.dumps({"a": prose}), json.dumps({"a": changed})).changes
                self.assertNotEqual(change.old_text, change.new_text)
                self.assertIn("X", change.new_text)

    def test_omitted_characters_are_marked(self):
        prose = "x" * 3000
        (line,) = (
            line for line in compared({"a": prose + "1" + prose}, {"a": prose + "2" + prose}) if line.kind != "same"
        )
        for text in (line.left, line.right):
            self.assertTrue(text.startswith("…") and text.endswith("…"), text)


class ManyLines(SimpleTestCase):
    def test_lists_that_difflib_aligns_slowly_are_compared_by_position(self):
        older, newer = [], []
        for number in range(4000):
            older += [number % 55, 1000 + number % 900]
            newer += [number % 55, 2000 + number % 900]
        lines = compared(older, newer)
        self.assertEqual(len(lines), MAX_LINES + 1)
        self.assertEqual(lines[0], Line("same", "[", "["))
        self.assertEqual(lines[-1].kind, "skipped")

    def test_a_list_that_only_grew_ends_with_the_added_element(self):
        lines = compared([0] * 3000, [0] * 3000 + [1])
        self.assertIn(Line("added", "", "  1"), lines)


class AnyPair(SimpleTestCase):
    def test_a_pair_that_differs_shows_a_difference_and_an_equal_pair_shows_none(self):
        chance = random.Random(13)
        for _ in range(500):
            older = {name: self.value(chance) for name in "abcd"}
            newer = dict(older)
            if chance.random() < 0.8:
                newer[chance.choice("abcd")] = self.value(chance)
            kinds = {line.kind for line in compared(older, newer)} - {"same", "skipped"}
            with self.subTest(older=older, newer=newer):
                self.assertEqual(bool(kinds), json.dumps(older) != json.dumps(newer))

    @staticmethod
    def value(chance):
        return chance.choice([0, 1, True, None, "word " * chance.randint(0, 200), [chance.randint(0, 2)] * 3, {"x": 1}])
