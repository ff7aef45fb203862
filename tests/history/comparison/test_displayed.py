"""Changed values as a page shows them: changed words with context, and sentences about what is not shown."""

import json
from typing import ClassVar
from unittest import mock

from django.template.loader import render_to_string
from django.test import SimpleTestCase

from history.comparison.alignment import StepLimit
from history.comparison.diff import diff
from history.comparison.displayed import MOST, displayed_changes
from history.comparison.words import MIN_OMITTED
from tests.history.comparison.test_side_by_side import shown


def displayed(older, newer, **options):
    """Return the displayed changes of two states: path, older text, newer text and notes."""
    changes = diff(json.dumps(older), json.dumps(newer)).changes
    return [
        (change.path, shown(change.old), shown(change.new), list(change.notes))
        for change in displayed_changes(changes, full=True, **options)
    ]


def texts(older, newer):
    """Return the older and the newer text of a field with two values."""
    ((_path, old, new, _notes),) = displayed({"a": older}, {"a": newer})
    return old, new


def notes(older, newer):
    ((_path, _old, _new, notes),) = displayed({"a": older}, {"a": newer})
    return notes


class Words(SimpleTestCase):
    def test_changed_words_are_marked_with_context(self):
        for older, newer, expected in (
            ("The tide is high.", "The tide was high.", ('"The tide [-is-] high."', '"The tide [+was+] high."')),
            ("quarters", "in-line", ('[-"quarters"-]', '[+"in-line"+]')),
            ("tide", "tides", ('[-"tide"-]', '[+"tides"+]')),
            ("a b", "a x b", ('"a b"', '"a [+x +]b"')),
            ("one two", "one", ('"one[- two-]"', '"one"')),
            ("", "new", ('[-""-]', '[+"new"+]')),
            ("潮汐有两种", "潮汐有三种", ('"潮汐有[-两-]种"', '"潮汐有[+三+]种"')),
            ('say "a"\n', 'say "b"\n', ('"say \\"[-a-]\\"\\n"', '"say \\"[+b+]\\"\\n"')),
        ):
            with self.subTest(older=older, newer=newer):
                self.assertEqual(texts(older, newer), expected)

    def test_changes_that_a_few_characters_separate_are_one(self):
        self.assertEqual(texts("alpha beta gamma", "one two three"), ('[-"alpha beta gamma"-]', '[+"one two three"+]'))

    def test_separate_changes_in_a_long_text_are_all_shown(self):
        words = [f"word{number}" for number in range(2000)]
        changed = list(words)
        for number in range(100, 2000, 200):
            changed[number] = "X"
        old, new = texts(" ".join(words), " ".join(changed))
        self.assertEqual(new.count("[+X+]"), 10)
        for number in range(100, 2000, 200):
            self.assertIn(f"[-word{number}-]", old)
        self.assertNotIn("word1 ", old)

    def test_the_number_of_changes_that_are_not_shown(self):
        words = [f"word{number}" for number in range(2000)]
        changed = [f"X{number}" if number % 20 == 10 else word for number, word in enumerate(words)]
        (text,) = notes(" ".join(words), " ".join(changed))
        self.assertEqual(text, "80 more changed places of this value are not shown.")

    def test_shown_and_omitted_characters_make_up_the_complete_value(self):
        words = [f"word{number}" for number in range(5000)]
        changed = [f"X{number}" if number % 7 == 3 else word for number, word in enumerate(words)]
        older, newer = " ".join(words), " ".join(changed)
        (change,) = displayed_changes(diff(json.dumps({"a": older}), json.dumps({"a": newer})).changes, full=True)
        for value, parts in ((older, change.old), (newer, change.new)):
            self.assertEqual(sum(part.omitted or len(part.text) for part in parts), len(value) + 2)

    def test_a_text_that_is_too_different_to_compare_is_shortened_with_a_note(self):
        older, newer = (" ".join(f"{letter}{number}" for number in range(20_000)) for letter in "ab")
        self.assertEqual(notes(older, newer), ["The texts are too long or too different to compare every word."])
        old, new = texts(older, newer)
        self.assertTrue(old.startswith('"[-a0 a1') and new.startswith('"[+b0 b1'))

    def test_a_change_inside_a_word_of_thousands_of_characters(self):
        old, new = texts("x" * 700 + "1" + "x" * 700, "x" * 700 + "2" + "x" * 700)
        self.assertIn("[-1-]", old)
        self.assertIn("[+2+]", new)

    def test_a_change_inside_a_number_of_thousands_of_digits(self):
        old, new = texts(int("7" * 4000), int("7" * 2000 + "8" + "7" * 1999))
        self.assertIn("[-7-]", old)
        self.assertIn("[+8+]", new)
        (change,) = diff(json.dumps({"a": int("7" * 999)}), json.dumps({"a": int("7" * 998 + "8")})).changes
        self.assertNotEqual(change.old_text, change.new_text)

    def test_unprintable_text_before_a_difference(self):
        (change,) = diff(json.dumps({"a": "\u200b" * 500 + "1"}), json.dumps({"a": "\u200b" * 500 + "2"})).changes
        self.assertTrue("1" in change.old_text and "2" in change.new_text)
        self.assertEqual(texts("\u200b" * 500 + "1", "\u200b" * 500 + "2")[0][-6:], '[-1-]"')


class OtherValues(SimpleTestCase):
    def test_values_of_other_types_are_shown_completely(self):
        for older, newer, expected in (
            (1, "1", ("[-1-]", '[+"1"+]')),
            (12, -12, ("[-12-]", "[+-12+]")),
            (1, 1.0, ("[-1-]", "[+1.0+]")),
            (1, True, ("[-1-]", "[+true+]")),
            (None, "", ("[-null-]", '[+""+]')),
            ([], {}, ("[-[]-]", "[+{}+]")),
            ("12345", 12345, ('[-"12345"-]', "[+12345+]")),
        ):
            with self.subTest(older=older, newer=newer):
                self.assertEqual(texts(older, newer), expected)

    def test_added_and_removed_values_are_shortened_with_a_number(self):
        long = "word " * 1000
        ((_, old, new, _),) = displayed({}, {"a": long})
        self.assertEqual(old, "")
        self.assertRegex(new, r'\[\+"word word .*\+\]…\d+…')
        ((_, old, new, _),) = displayed({"a": None}, {})
        self.assertEqual((old, new), ("[-null-]", ""))


class Alike(SimpleTestCase):
    def test_white_space_is_visible(self):
        self.assertEqual(texts("a b", "a  b"), ('"a b"', '"a [+␣+]b"'))
        self.assertEqual(texts("a", "a "), ('"a"', '"a[+␣+]"'))
        self.assertEqual(texts("a b", "a\tb"), ('"a[-␣-]b"', '"a[+\\t+]b"'))
        self.assertIn("U+0020 SPACE", notes("a b", "a\u00a0b")[0])

    def test_characters_without_a_form_are_escaped(self):
        for character in "\u200b\u2060\ufe0f\u3164\u2800\u034f\U000e0101":
            with self.subTest(character=character):
                _old, new = texts("word", f"word{character}")
                self.assertIn(json.dumps(character)[1:-1], new)
                self.assertNotIn(character, new)

    def test_characters_that_look_alike_are_named(self):
        for older, newer, name in (
            ("paypal", "p\u0430ypal", "U+0430 CYRILLIC SMALL LETTER A"),
            ("caf\u00e9", "cafe\u0301", "U+0301 COMBINING ACUTE ACCENT"),
            ("fi", "\ufb01", "U+FB01 LATIN SMALL LIGATURE FI"),
            ("1-2", "1\u20132", "U+2013 EN DASH"),
            ("\u0663", "\u06f3", "U+06F3 EXTENDED ARABIC-INDIC DIGIT THREE"),
        ):
            with self.subTest(older=older, newer=newer):
                (note,) = notes(older, newer)
                self.assertIn(name, note)
        for older, newer in (("tide", "tile"), ("潮", "汐"), ("кот", "кит")):
            with self.subTest(older=older, newer=newer):
                self.assertEqual(notes(older, newer), [])

    def test_names_that_look_alike_are_described(self):
        removed, added = displayed({"answer": 1}, {"\u0430nswer": 1})
        self.assertEqual(removed[3], [])
        self.assertIn("U+0430 CYRILLIC SMALL LETTER A", added[3][0])


class Html(SimpleTestCase):
    def page(self, older, newer):
        difference = diff(json.dumps(older), json.dumps(newer))
        return render_to_string(
            "admin/xblock_history/_difference.html",
            {"difference": difference, "before": "Before", "after": "After", "label": "Changes"},
        )

    def test_marks_have_a_text_for_screen_readers_and_a_direction(self):
        page = self.page({"a": "The tide is high"}, {"a": "The tide was high"})
        hidden = '<span class="visually-hidden">{}</span>'
        for tag, label, word in (("del", "removed", "is"), ("ins", "added", "was")):
            self.assertIn(f"{hidden.format(f'[{label}: ')}<{tag}>{word}</{tag}>{hidden.format(']')}", page)
        self.assertEqual(page.count("<code"), page.count('<code dir="ltr">'))

    def test_omitted_characters_are_stated(self):
        page = self.page({"a": "word " * 500 + "1", "b": "x" * 5000}, {"a": "word " * 500 + "2"})
        self.assertRegex(page, r"… 24\d\d equal characters …")
        self.assertRegex(page, r"… 35\d\d characters not shown …")

    def test_a_short_rest_is_not_omitted(self):
        page = self.page({"a": "x" * (100 + MIN_OMITTED - 2) + " 1"}, {"a": "x" * (100 + MIN_OMITTED - 2) + " 2"})
        self.assertNotIn("equal characters", page)


class CountedLimit(StepLimit):
    """Keeps its limit, so that the steps that were made can be counted."""

    made: ClassVar[list["CountedLimit"]]

    def __init__(self, steps):
        super().__init__(steps)
        self.steps = steps
        self.made.append(self)


class AnyPair(SimpleTestCase):
    """The work is counted, so a slower machine takes longer, not another way."""

    def test_the_steps_of_large_pairs_are_limited(self):
        letters = ["the", "of", "a", "b"]
        repeated = [
            " ".join(letters[(index * step) % 4 ^ (index // 7) % 3] for index in range(12_000)) for step in (1, 3)
        ]
        different = [" ".join(f"{letter}{index}" for index in range(12_000)) for letter in "ab"]
        for older, newer in (
            ({"a": repeated[0]}, {"a": repeated[1]}),
            ({"a": different[0]}, {"a": different[1]}),
            ({"a": "ab" * 32_000}, {"a": "ba" * 31_000 + "a"}),
            (
                {f"f{number}": repeated[0][:9000] for number in range(200)},
                {f"f{number}": repeated[1][:9000] for number in range(200)},
            ),
            ({"a": "word " * 400_000}, {"a": "word " * 200_000 + "X" + "word " * 200_000}),
        ):
            with self.subTest(size=len(json.dumps(older))):
                CountedLimit.made = []
                with mock.patch("history.comparison.words.StepLimit", CountedLimit):
                    self.assertTrue(displayed_changes(diff(json.dumps(older), json.dumps(newer)).changes, full=True))
                self.assertLess(sum(limit.steps - limit.left for limit in CountedLimit.made), 6 * MOST.steps)
