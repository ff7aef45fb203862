"""Each difference of random states is visible on the pages. COMPARISON_PAIRS is the number of pairs."""

import json
import os
import random
import time
import unicodedata
from html.parser import HTMLParser

from django.template.loader import render_to_string
from django.test import SimpleTestCase

from history.comparison.diff import diff
from history.comparison.side_by_side import side_by_side
from kvstore.admin.rendering import render_json
from kvstore.staff.text import escape_unprintable
from tests.history.comparison import edits
from tests.history.comparison.test_diff import applied, canonical

PAIRS = 300
LOOK = {ord(other): character for character, other in edits.ALIKE.items()}
LABELS = {"before": "Before", "after": "After", "label": "Changes"}


class Rows(HTMLParser):
    """The cells of each row of a table body: text, notes, and marked text."""

    def __init__(self, page):
        super().__init__()
        self.rows = []
        self._where = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append({"text": "", "note": "", "marked": "", "kind": ""})
        self._where.append("hidden" if attributes.get("class") == "visually-hidden" else attributes.get("class") or tag)

    def handle_endtag(self, tag):
        self._where.pop()

    def handle_data(self, text):
        if "code" in self._where and "hidden" not in self._where:
            self.rows[-1][-1]["text"] += text
            if "del" in self._where or "ins" in self._where:
                self.rows[-1][-1]["marked"] += text
        elif "history-note" in self._where and self.rows:
            self.rows[-1][-1]["note"] += text
        elif "em" in self._where:
            self.rows[-1][-1]["text"] += f"({text})"


def look(text):
    """Return what a reader sees at most: no invisible characters, one space, one form of look-alike characters."""
    visible = "".join(one for one in text if one.isprintable() and one not in edits.INVISIBLE)
    return " ".join(unicodedata.normalize("NFKC", visible.translate(LOOK)).split())


class EachDifference(SimpleTestCase):
    def test_is_visible(self):
        chance = random.Random(20)
        slowest = 0.0
        count = int(os.environ.get("COMPARISON_PAIRS", PAIRS))
        for number in range(count):
            older, newer = edits.pair(chance)
            begin = time.process_time()
            with self.subTest(number=number):
                self.check(older, newer)
            slowest = max(slowest, time.process_time() - begin)
        self.assertLess(slowest, 2)
        if count != PAIRS:
            print(f"{count} pairs, slowest {slowest:.2f} s")

    def check(self, older, newer):
        before, after = json.dumps(older), json.dumps(newer)
        difference = diff(before, after)
        self.assertEqual(bool(difference), canonical(older) != canonical(newer))
        self.assertEqual(canonical(applied(json.loads(before), difference)), canonical(newer))
        self.assertEqual(difference.count, len(difference.changes))
        contexts = {"_difference": {"difference": difference}, "_changes": {"changes": difference.changes}}
        for template, context in contexts.items():
            page = render_to_string(f"admin/xblock_history/{template}.html", LABELS | context)
            rows = [row for row in Rows(page).rows if row[0]["text"]] if difference else []
            self.assertEqual(len(rows), difference.count)
            for change, (name, old, new) in zip(difference.changes, rows, strict=True):
                self.assert_visible(change, name, old, new)
        names = [change.path[-1] for change in difference.changes if isinstance(change.path[-1], str)]
        self.assert_lines(before, after, names)

    def assert_visible(self, change, name, old, new):
        self.assertEqual(name["text"], change.path_text)
        self.assertTrue(change.path_text)
        for cell in (name, old, new):
            self.assertEqual(escape_unprintable(cell["text"]), cell["text"])
        self.assertTrue(old["marked"] or new["marked"])
        self.assertNotEqual(old["text"], new["text"])
        if look(old["text"]) == look(new["text"]):
            self.assertIn("look alike", new["note"])
        if change.kind != "changed" and not str(change.path[-1]).isascii():
            self.assertIn("U+", new["note"])
        self.assertNotEqual(change.old_text, change.new_text)

    def assert_lines(self, before, after, names):
        lines = [render_json(text).text.split("\n") for text in (before, after)]
        sides = side_by_side(*lines)
        page = render_to_string("admin/xblock_history/_side_by_side.html", LABELS | {"sides": sides})
        rows = [row for row in Rows(page).rows[1:] if len(row) == 3]
        different = [row for row in rows if row[1]["text"] != row[2]["text"] or row[1]["marked"]]
        self.assertEqual(bool(different), before != after)
        text = "\n".join(cell["text"] for row in different for cell in row)
        for name in names:
            self.assertIn(escape_unprintable(json.dumps(name, ensure_ascii=False)), text)
        self.assertEqual(sides.more_lines, 0)
        for line in sides.lines:
            if line.kind == "changed":
                self.assertTrue({"removed", "added"} & {part.kind for part in (*line.left, *line.right)})
                self.assertNotEqual(line.left, line.right)
