"""Text in the columns of a terminal: wrapped by what it takes there, and nothing lost."""

from django.test import SimpleTestCase

from history.management.terminal import wrapped


class Wrapping(SimpleTestCase):
    def test_lines(self):
        for text, width, expected in (
            ("", 10, []),
            ("short", 10, ["> short"]),
            ("one two three", 10, ["> one two", "| three"]),
            ("x" * 20, 10, ["> xxxxxxxx", "| xxxxxxxx", "| xxxx"]),
            ("潮汐潮汐潮汐", 10, ["> 潮汐潮汐", "| 潮汐"]),
            ("a潮汐潮汐潮", 10, ["> a潮汐潮", "| 汐潮"]),
            ("潮汐", 3, ["> 潮", "| 汐"]),
            ("e\u0301" * 10, 10, ["> " + "e\u0301" * 8, "| " + "e\u0301" * 2]),
            ("a\tb\x1b", 20, ["> a\\tb\\u001b"]),
        ):
            with self.subTest(text):
                self.assertEqual(list(wrapped(text, "> ", "| ", width)), expected)

    def test_nothing_is_lost(self):
        text = "tide 潮 " * 500
        self.assertEqual("".join(wrapped(text)).replace(" ", ""), text.replace(" ", ""))
