"""The picture of a history: the grade and the size of the state over the versions, as SVG that needs no script.

It has no colours of its own: it takes those of Django's admin, light and dark, or the text's. Every element has a class
for other colours. The description says in words what the picture shows.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.formats import date_format
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

__all__ = ["Point", "description", "render_chart"]

WIDTH, HEIGHT = 640, 290
LEFT, RIGHT = 76, WIDTH - 16
GRADE_TOP, GRADE_BOTTOM = 24, 124
SIZE_TOP, SIZE_BOTTOM = 160, 240
DATES, LEGEND = 257, 280

MAX_POINTS = 400
"""points drawn of a longer history, besides those where something happened"""


LINE = "var(--link-fg, currentColor)"
ALARM = "var(--error-fg, currentColor)"
QUIET = "var(--body-quiet-color, currentColor)"
RULE = "var(--border-color, currentColor)"

Scale = Callable[[float], float]


class Panel(NamedTuple):
    """One of the lines, with an axis of its own."""

    name: str
    title: str
    top: int
    bottom: int
    values: Sequence[float | None]
    lowest: float
    highest: float
    text: Callable[[float], str]

    def y(self, value: float) -> float:
        """Return where a value is on the page; halves, because a difference of floats may exceed the floats."""
        span = self.highest / 2 - self.lowest / 2
        share = (value / 2 - self.lowest / 2) / span if span else 0.0
        return round(self.bottom - share * (self.bottom - self.top), 1)


def render_chart(points: Sequence[Point], ident: str = "history-drawing") -> SafeString:
    """Return an inline SVG of versions in order, oldest first; nothing for none.

    ``ident`` begins the ids of its elements, for more than one on a page. A grade that is no finite number counts as
    none. Of long histories fewer points are drawn, and always those with the lowest and highest values and those
    where the grade fell, the state was emptied or the row deleted.
    """
    points = [point._replace(grade=finite(point.grade), max_grade=finite(point.max_grade)) for point in points]
    if not points:
        return SafeString("")
    events = [(index, event) for index, point in enumerate(points) for event in events_of(points, index, point)]
    kept = _kept(points, {index for index, _event in events})
    across = _x_scale(len(points))
    grade, size = _panels(points)
    return format_html(
        '<svg class="history-drawing" role="img" viewBox="0 0 {} {}" width="100%" font-size="13" fill="none" '
        'stroke="none" aria-labelledby="{}-title {}-text" xmlns="http://www.w3.org/2000/svg">'
        '<title id="{}-title">{}</title><desc id="{}-text">{}</desc>{}{}{}{}{}</svg>',
        *(WIDTH, HEIGHT, ident, ident),
        *(ident, gettext("Grade and size of the state over the versions"), ident, description(points)),
        *(_panel(grade, kept, across), _panel(size, kept, across)),
        *(_dates(points), _marks(points, events, grade, size, across), _legend({event for _index, event in events})),
    )


def _kept(points: Sequence[Point], eventful: Iterable[int]) -> list[int]:
    """Return the positions of the points to draw: all of a short history, of every stretch of a long one a few."""
    if len(points) <= MAX_POINTS:
        return list(range(len(points)))
    kept = {0, len(points) - 1, *eventful}
    stretches = MAX_POINTS // 4
    for stretch in range(stretches):
        begin, end = (len(points) * edge // stretches for edge in (stretch, stretch + 1))
        graded = [i for i in range(begin, end) if points[i].grade is not None]
        for positions, value in ((graded, _grade_at(points)), (range(begin, end), _size_at(points))):
            kept |= {min(positions, key=value), max(positions, key=value)} if positions else set()
        # Where there is no grade, the line ends.
        kept |= {i for i in range(begin, end) if points[i].grade is None and i and points[i - 1].grade is not None}
    return sorted(kept)


def _grade_at(points: Sequence[Point]) -> Callable[[int], float]:
    return lambda index: points[index].grade or 0.0


def _size_at(points: Sequence[Point]) -> Callable[[int], float]:
    return lambda index: points[index].size


def _x_scale(count: int) -> Scale:
    if count == 1:
        return lambda index: (LEFT + RIGHT) / 2
    return lambda index: round(LEFT + index * (RIGHT - LEFT) / (count - 1), 1)


def _panels(points: Sequence[Point]) -> tuple[Panel, Panel]:
    grades = [point.grade for point in points]
    reached = [value for point in points for value in (point.grade, point.max_grade) if value is not None] or [0.0]
    sizes = [float(point.size) for point in points]
    lowest, highest = min(0.0, *reached), max(0.0, *reached)
    return (
        Panel("grade", gettext("Grade"), GRADE_TOP, GRADE_BOTTOM, grades, lowest, highest, number),
        Panel("size", gettext("Size of the state"), SIZE_TOP, SIZE_BOTTOM, sizes, 0.0, max(sizes), filesizeformat),
    )


def _panel(panel: Panel, kept: Sequence[int], across: Scale) -> SafeString:
    ends = [panel.lowest] if panel.lowest == panel.highest else [panel.lowest, panel.highest]
    return format_html(
        '<g class="history-drawing-{}"><text class="history-drawing-title" x="{}" y="{}" fill="currentColor">{}</text>'
        '{}<path class="history-drawing-line" d="{}" stroke="{}" stroke-width="2" stroke-linejoin="round" '
        'stroke-linecap="round"/></g>',
        *(panel.name, LEFT, panel.top - 9, panel.title),
        format_html_join(
            "", AXIS, ((LEFT, panel.y(end), RIGHT, RULE, panel.y(end) + 4, QUIET, panel.text(end)) for end in ends)
        ),
        *(_line(panel, kept, across), LINE),
    )


AXIS = (
    '<path class="history-drawing-axis" d="M{0} {1}H{2}" stroke="{3}"/>'
    '<text class="history-drawing-label" x="70" y="{4}" text-anchor="end" fill="{5}">{6}</text>'
)


def _line(panel: Panel, kept: Sequence[int], across: Scale) -> str:
    """Return the path of a line, broken where there is no value; a value by itself is a dot."""
    steps, drawn = [], False
    for index in kept:
        value = panel.values[index]
        if value is not None:
            # The dash shows a value that no line leads to or from.
            place = f"{across(index):g} {panel.y(value):g}"
            steps.append(f"L{place}" if drawn else f"M{place}m-2 0h4m-2 0")
        drawn = value is not None
    return "".join(steps)


def _dates(points: Sequence[Point]) -> SafeString:
    ends = [(points[0], LEFT, "start"), (points[-1], RIGHT, "end")][: len(points)]
    texts = (
        (
            x,
            DATES,
            anchor,
            QUIET,
            gettext("version %(named)s") % {"named": point.version},
            date_format(_local(point.created)),
        )
        for point, x, anchor in ends
    )
    label = '<text class="history-drawing-label" x="{}" y="{}" text-anchor="{}" fill="{}">{}, {}</text>'
    return format_html_join("", label, texts)


def _marks(
    points: Sequence[Point], events: Sequence[tuple[int, Event]], grade: Panel, size: Panel, across: Scale
) -> SafeString:
    return format_html_join(
        "",
        '<path class="history-drawing-mark history-drawing-{}" d="M{} {}{}" stroke="{}" stroke-width="2">'
        "<title>{}</title></path>",
        (
            (event.name, across(index), _marker_y(points[index], event, grade, size), event.shape, ALARM, text)
            for index, event in events
            for text in [f"{gettext('version %(named)s') % {'named': points[index].version}}: {event.label}"]
        ),
    )


def _marker_y(point: Point, event: Event, grade: Panel, size: Panel) -> float:
    if event is not GRADE_DECREASED:
        return size.y(point.size)
    return grade.bottom if point.grade is None else grade.y(point.grade)


def _legend(happened: set[Event]) -> SafeString:
    shown = [event for event in (GRADE_DECREASED, STATE_EMPTIED, ROW_DELETED) if event in happened]
    entries = (
        (event.name, x, LEGEND - 4 + 8 * (event is GRADE_DECREASED), event.shape, ALARM, x + 14, LEGEND, event.label)
        for x, event in zip(range(LEFT + 6, WIDTH, 170), shown, strict=False)
    )
    return format_html_join(
        "",
        '<path class="history-drawing-{}" d="M{} {}{}" stroke="{}" stroke-width="2"/>'
        '<text class="history-drawing-legend" x="{}" y="{}" fill="currentColor">{}</text>',
        entries,
    )


def _local(moment: datetime) -> datetime:
    return timezone.localtime(moment) if timezone.is_aware(moment) else moment
