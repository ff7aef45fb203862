"""A chart of the grade and the size of the state over the versions, as inline SVG without scripts.

The colours are those of Django's admin, light and dark, or of the text. Every element has a CSS class.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from django.template.defaultfilters import filesizeformat
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from history.comparison.chart_events import (
    GRADE_DECREASED,
    ROW_DELETED,
    STATE_EMPTIED,
    Event,
    Point,
    description,
    events_of,
    finite,
    number,
)
from kvstore.staff.dates import format_moment

WIDTH, HEIGHT = 640, 290
LEFT, RIGHT = 76, WIDTH - 16
GRADE_TOP, GRADE_BOTTOM = 24, 124
SIZE_TOP, SIZE_BOTTOM = 160, 240
DATES, LEGEND = 257, 280

LINE = "var(--link-fg, currentColor)"
ALARM = "var(--error-fg, currentColor)"
QUIET = "var(--body-quiet-color, currentColor)"
RULE = "var(--border-color, currentColor)"

Scale = Callable[[float], float]


class Panel(NamedTuple):
    """One of the two lines, with its axis."""

    name: str
    title: str
    top: int
    bottom: int
    values: Sequence[float | None]
    lowest: float
    highest: float
    text: Callable[[float], str]

    def y(self, value: float) -> float:
        """Return the y coordinate of a value. Halves: the difference of two floats may be infinite."""
        span = self.highest / 2 - self.lowest / 2
        share = (value / 2 - self.lowest / 2) / span if span else 0.0
        return round(self.bottom - share * (self.bottom - self.top), 1)


def render_chart(points: Sequence[Point]) -> SafeString:
    """Return a chart of versions, oldest first; an empty string for none. A page may contain one chart.

    Grades that are not finite numbers are omitted.
    """
    points = [point._replace(grade=finite(point.grade), max_grade=finite(point.max_grade)) for point in points]
    if not points:
        return SafeString("")
    events = [(index, event) for index, point in enumerate(points) for event in events_of(points, index, point)]
    x = _x_scale(len(points))
    grade, size = _panels(points)
    return format_html(
        '<svg class="history-drawing" role="img" viewBox="0 0 {} {}" width="100%" font-size="13" fill="none" '
        'stroke="none" aria-labelledby="history-drawing-title history-drawing-text" '
        'xmlns="http://www.w3.org/2000/svg"><title id="history-drawing-title">{}</title>'
        '<desc id="history-drawing-text">{}</desc>{}{}{}{}{}</svg>',
        *(WIDTH, HEIGHT, gettext("Grade and size of the state over the versions"), description(points)),
        *(_panel(grade, x), _panel(size, x), _dates(points)),
        *(_markers(points, events, grade, size, x), _legend({event for _index, event in events})),
    )


def _x_scale(count: int) -> Scale:
    if count == 1:
        return lambda index: (LEFT + RIGHT) / 2
    return lambda index: round(LEFT + index * (RIGHT - LEFT) / (count - 1), 1)


def _panels(points: Sequence[Point]) -> tuple[Panel, Panel]:
    grades = [point.grade for point in points]
    limits = [0.0, *(value for point in points for value in (point.grade, point.max_grade) if value is not None)]
    lowest, highest = min(limits), max(limits)
    sizes = [float(point.size) for point in points]
    return (
        Panel("grade", gettext("Grade"), GRADE_TOP, GRADE_BOTTOM, grades, lowest, highest, number),
        Panel("size", gettext("Size of the state"), SIZE_TOP, SIZE_BOTTOM, sizes, 0.0, max(sizes), filesizeformat),
    )


def _panel(panel: Panel, x: Scale) -> SafeString:
    ends = [panel.lowest] if panel.lowest == panel.highest else [panel.lowest, panel.highest]
    return format_html(
        '<g class="history-drawing-{}"><text class="history-drawing-title" x="{}" y="{}" fill="currentColor">{}</text>'
        '{}<path class="history-drawing-line" d="{}" stroke="{}" stroke-width="2" stroke-linejoin="round" '
        'stroke-linecap="round"/></g>',
        *(panel.name, LEFT, panel.top - 9, panel.title),
        format_html_join(
            "", AXIS, ((LEFT, panel.y(end), RIGHT, RULE, panel.y(end) + 4, QUIET, panel.text(end)) for end in ends)
        ),
        *(_line(panel, x), LINE),
    )


AXIS = (
    '<path class="history-drawing-axis" d="M{0} {1}H{2}" stroke="{3}"/>'
    '<text class="history-drawing-label" x="70" y="{4}" text-anchor="end" fill="{5}">{6}</text>'
)


def _line(panel: Panel, x: Scale) -> str:
    """Return the path of a line. It is interrupted at missing values; each part begins with a short dash."""
    steps, is_drawing = [], False
    for index, value in enumerate(panel.values):
        if value is not None:
            # Without the dash, a single value would be invisible.
            position = f"{x(index):g} {panel.y(value):g}"
            steps.append(f"L{position}" if is_drawing else f"M{position}m-2 0h4m-2 0")
        is_drawing = value is not None
    return "".join(steps)


def _dates(points: Sequence[Point]) -> SafeString:
    ends = [(points[0], LEFT, "start"), (points[-1], RIGHT, "end")][: len(points)]
    texts = ((x, DATES, anchor, QUIET, _version(point), format_moment(point.created)) for point, x, anchor in ends)
    label = '<text class="history-drawing-label" x="{}" y="{}" text-anchor="{}" fill="{}">{}, {}</text>'
    return format_html_join("", label, texts)


def _markers(
    points: Sequence[Point], events: Sequence[tuple[int, Event]], grade: Panel, size: Panel, x: Scale
) -> SafeString:
    markers = (
        (event.name, x(index), _marker_y(point, event, grade, size), event.shape, ALARM, _version(point), event.label)
        for index, event in events
        for point in [points[index]]
    )
    return format_html_join(
        "",
        '<path class="history-drawing-mark history-drawing-{}" d="M{} {}{}" stroke="{}" stroke-width="2">'
        "<title>{}: {}</title></path>",
        markers,
    )


def _marker_y(point: Point, event: Event, grade: Panel, size: Panel) -> float:
    if event is not GRADE_DECREASED:
        return size.y(point.size)
    return grade.bottom if point.grade is None else grade.y(point.grade)


def _legend(used: set[Event]) -> SafeString:
    shown = [event for event in (GRADE_DECREASED, STATE_EMPTIED, ROW_DELETED) if event in used]
    items = (
        (event.name, x, LEGEND - 4 + 8 * (event is GRADE_DECREASED), event.shape, ALARM, x + 14, LEGEND, event.label)
        for x, event in zip(range(LEFT + 6, WIDTH, 170), shown, strict=False)
    )
    return format_html_join(
        "",
        '<path class="history-drawing-{}" d="M{} {}{}" stroke="{}" stroke-width="2"/>'
        '<text class="history-drawing-legend" x="{}" y="{}" fill="currentColor">{}</text>',
        items,
    )


def _version(point: Point) -> str:
    return gettext("version %(named)s") % {"named": point.version}
