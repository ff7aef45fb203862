"""The chart of a history: its drawing, and its description for screen readers."""

import math
from datetime import timedelta
from xml.etree import ElementTree

from django.test import SimpleTestCase
from django.utils import translation
from django.utils.safestring import SafeString

from history.comparison.chart import HEIGHT, WIDTH, render_chart
from history.comparison.chart_events import Point, description
from tests.history.entries import START

SVG = "{http://www.w3.org/2000/svg}"


def point(version, grade=None, max_grade=None, size=10, action="changed"):
    return Point(version, START + timedelta(hours=version), grade, max_grade, size, action)


def parsed(points):
    return ElementTree.fromstring(render_chart(points))  # noqa: S314  it is our own


def flags_for(svg):
    """Return the titles of the symbols."""
    found = svg.iter(f"{SVG}path")
    return [mark.find(f"{SVG}title").text for mark in found if "history-drawing-mark" in mark.get("class")]


def lines(svg):
    found = svg.iter(f"{SVG}path")
    return [line.get("d") for line in found if line.get("class") == "history-drawing-line"]


class Drawing(SimpleTestCase):
    def test_none(self):
        self.assertEqual(render_chart([]), "")
        self.assertIsInstance(render_chart([]), SafeString)

    def test_one(self):
        grade, size = lines(parsed([point(1, 1, 2)]))
        self.assertTrue(grade.startswith("M") and size.startswith("M"))
        self.assertEqual(flags_for(parsed([point(1)])), [])

    def test_an_image_with_a_title_and_a_description(self):
        svg = parsed([point(1, 1, 2), point(2, 2, 2)])
        self.assertEqual(
            (svg.get("role"), svg.get("aria-labelledby")), ("img", "history-drawing-title history-drawing-text")
        )
        title, text = svg.find(f"{SVG}title"), svg.find(f"{SVG}desc")
        self.assertEqual((title.get("id"), text.get("id")), ("history-drawing-title", "history-drawing-text"))
        self.assertIn("Grade went from 1 to 2 over 2 versions; lowest 1, highest 2.", text.text)

    def test_no_script_no_style_and_no_colour_of_its_own(self):
        source = render_chart([point(1, 2, 2), point(2, 1, 2, size=2), point(3, size=0, action="deleted")])
        for text in ("<script", "<style", "style=", "href", " on", "#", "rgb"):
            with self.subTest(text):
                self.assertNotIn(text, source)

    def test_flags_have_a_shape_and_a_legend(self):
        svg = parsed(
            [point(1, 2, 2), point(2, 2, 4), point(3, 1, 1, size=2), point(4, None, size=0, action="deleted"), point(1)]
        )
        self.assertEqual(
            flags_for(svg), ["version 2: grade decreased", "version 3: state emptied", "version 4: row deleted"]
        )
        legend = [text.text for text in svg.iter(f"{SVG}text") if text.get("class") == "history-drawing-legend"]
        self.assertEqual(legend, ["grade decreased", "state emptied", "row deleted"])
        shapes = {
            path.get("d").split("m", 1)[1] for path in svg.iter(f"{SVG}path") if path.find(f"{SVG}title") is not None
        }
        self.assertEqual(len(shapes), 3)

    def test_the_line_is_interrupted_at_a_missing_grade(self):
        grade, size = lines(parsed([point(1, 1), point(2, 2), point(3), point(4, 4), point(5, 4)]))
        self.assertEqual((grade.count("M"), size.count("M")), (2, 1))

    def test_values_beyond_all_bounds_stay_on_the_page(self):
        values = (None, 0.0, -0.0, 1e308, -1e308, 5e-324, -5, math.nan, math.inf, -math.inf, 2)
        points = [
            point(version, grade, most, size)
            for version, (grade, most, size) in enumerate(
                ((grade, most, size) for grade in values for most in values for size in (0, 2**70)), 1
            )
        ]
        svg = parsed(points)
        for path in (d for line in lines(svg) for d in line.split("M")[1:]):
            for place in (step for step in path.replace("m-2 0h4m-2 0", "").split("L")):
                x, y = map(float, place.split())
                self.assertTrue(0 <= x <= WIDTH and 0 <= y <= HEIGHT, place)
        self.assertNotIn("nan", render_chart(points))
        self.assertNotIn("inf", render_chart(points).replace("inform", ""))

    def test_every_point_of_a_long_history_is_drawn(self):
        points = [point(version, 50, 100, 1000) for version in range(1, 2001)]
        points[1500] = point(1501, None, 100, 9000)
        grade, size = lines(parsed(points))
        self.assertEqual((grade.count("M"), grade.count("L"), size.count("L")), (2, 1997, 1999))
        self.assertIn(f"L{76 + 1500 * 548 / 1999:.1f} 160", size)
        self.assertLess(len(render_chart(points)), 100_000)

    def test_a_hostile_number_of_falls(self):
        points = [point(version, version % 2, 1) for version in range(2000)]
        self.assertEqual(len(flags_for(parsed(points))), 999)

    def test_numbers_are_numbers_in_every_language(self):
        points = [point(1, 0.5, 2, 1500), point(2, 1.5, 2, 3000), point(3, 1, 2)]
        with translation.override("de"):
            translated = lines(parsed(points))
        self.assertEqual(translated, lines(parsed(points)))


class Description(SimpleTestCase):
    def test_no_grade(self):
        self.assertEqual(description([point(1, size=10)]), "No grade in 1 version. The state has 10\xa0bytes.")

    def test_sizes_and_flags(self):
        points = [point(1, 2, 2, 10), point(2, 1, 2, 2), point(3, 0, 2, 2048), *(point(v, -v, 2) for v in range(4, 12))]
        self.assertEqual(
            description(points),
            "Grade went from 2 to -11 over 11 versions; lowest -11, highest 2. The state has between 2\xa0bytes and "
            "2.0\xa0KB. Grade decreased: version 2, 3, 4, 5, 6 and 5 more. State emptied: version 2.",
        )
