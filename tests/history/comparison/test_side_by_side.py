"""A comparison shows every difference of two states, and takes little time for any pair."""

import json
import random

from django.test import SimpleTestCase

from history.comparison.diff import diff
from history.comparison.side_by_side import MAX_LINE, MAX_LINES, side_by_side


def indented(value):
    return json.dumps(value, indent=2).split("\n")


def compared(older, newer):
    return side_by_side(indented(older), indented(newer))


def shown(parts):
    """Return the displayed text, with marks around changed words, and the number of omitted characters."""
    marks = {"removed": "[-{}-]", "added": "[+{}+]", "same": "{}"}
    return "".join(marks[part.kind].format(part.text) if part.text else f"…{part.omitted}…" for part in parts)


def different(older, newer):
    """Return the lines that differ: kind, left text and right text."""
    lines = compared(older, newer).lines
    return [(line.kind, shown(line.left), shown(line.right)) for line in lines if line.kind not in ("same", "skipped")]


class Words(SimpleTestCase):
    def test_the_changed_words_of_a_line_are_marked(self):
        self.assertEqual(
            different({"a": "The tide is high", "n": 1}, {"a": "The tide was high", "n": 1}),
            [("changed", '  "a": "The tide [-is-] high",', '  "a": "The tide [+was+] high",')],
        )

    def test_numbers_are_changed_as_a_whole(self):
        self.assertEqual(
            different({"a": 12, "b": 1}, {"a": -12, "b": 1.0}),
            [("changed", '  "a": [-12-],', '  "a": [+-12+],'), ("changed", '  "b": [-1-]', '  "b": [+1.0+]')],
        )

    def test_elements_of_equally_long_lists_are_paired(self):
        self.assertEqual(
            different(["first answer", "second answer"], ["first answer", "second guess"]),
            [("changed", '  "second [-answer-]"', '  "second [+guess+]"')],
        )

    def test_lines_of_other_fields_are_not_paired(self):
        self.assertEqual(different({"a": 1}, {"b": 1}), [("removed", '  "a": 1', ""), ("added", "", '  "b": 1')])

    def test_the_number_of_equal_lines_that_are_omitted(self):
        lines = compared([*range(100), 1, *range(100)], [*range(100), 2, *range(100)]).lines
        self.assertEqual([line.omitted for line in lines if line.kind == "skipped"], [98, 98])


class LongLines(SimpleTestCase):
    def test_a_difference_behind_the_limit_of_a_line_is_shown(self):
        prose = "word " * 280
        for position in (0, 450, 700, 1390):
            changed = prose[:position] + "X" + prose[position + 1 :]
            with self.subTest(position=position):
                ((kind, left, right),) = different({"a": prose}, {"a": changed})
                self.assertEqual(kind, "changed")
                self.assertIn("X", right)
                self.assertNotIn("X", left)
                self.assertLessEqual(len(right), MAX_LINE)
                (change,) = diff(json.dumps({"a": prose}), json.dumps({"a": changed})).changes
                self.assertNotEqual(change.old_text, change.new_text)
                self.assertIn("X", change.new_text)

    def test_the_number_of_omitted_characters_is_shown(self):
        prose = "x" * 3000
        pair = compared({"a": prose + "1" + prose}, {"a": prose + "2" + prose})
        self.assertTrue(pair.is_cut)
        (line,) = (line for line in pair.lines if line.kind == "changed")
        for parts in (line.left, line.right):
            self.assertEqual(sum(part.omitted or len(part.text) for part in parts), 6001 + len('  "a": ""'))


class ManyLines(SimpleTestCase):
    def test_lists_that_cannot_be_aligned_are_compared_by_position(self):
        older, newer = [], []
        for number in range(4000):
            older += [number % 55, 1000 + number % 900]
            newer += [number % 55, 2000 + number % 900]
        pair = compared(older, newer)
        self.assertFalse(pair.is_aligned)
        self.assertEqual(shown(pair.lines[0].left), "[")
        self.assertEqual(len([line for line in pair.lines if line.kind != "skipped"]), MAX_LINES)
        shown_changes = sum(line.kind == "changed" for line in pair.lines)
        self.assertEqual(shown_changes + pair.more_lines, 4000)

    def test_two_changes_in_a_list_of_equal_elements_are_aligned(self):
        zeros = [0] * 1000
        pair = compared([*zeros, 1, *zeros, 2, *zeros], [*zeros, *zeros, *zeros])
        self.assertTrue(pair.is_aligned)
        self.assertEqual([shown(line.left) for line in pair.lines if line.kind == "removed"], ["  1,", "  2,"])

    def test_a_list_that_only_grew_ends_with_the_added_element(self):
        self.assertEqual(different([0] * 3000, [0] * 3000 + [1]), [("added", "", "  1")])


class AnyPair(SimpleTestCase):
    def test_a_pair_that_differs_shows_a_difference_and_an_equal_pair_shows_none(self):
        chance = random.Random(13)
        for _ in range(500):
            older = {name: self.value(chance) for name in "abcd"}
            newer = dict(older)
            if chance.random() < 0.8:
                newer[chance.choice("abcd")] = self.value(chance)
            kinds = {line.kind for line in compared(older, newer).lines} - {"same", "skipped"}
            with self.subTest(older=older, newer=newer):
                self.assertEqual(bool(kinds), json.dumps(older) != json.dumps(newer))

    @staticmethod
    def value(chance):
        return chance.choice([0, 1, True, None, "word " * chance.randint(0, 200), [chance.randint(0, 2)] * 3, {"x": 1}])
