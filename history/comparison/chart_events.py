"""The points and events of a chart, and its text description."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.template.defaultfilters import filesizeformat
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from history.comparison.flags import has_lower_grade
from kvstore.signals import DELETED

EMPTY_SIZE = 2
"""bytes of a state without fields, ``{}``"""
NAMED_VERSIONS = 5
"""versions in a list of the description"""


class Point(NamedTuple):
    """One version in a chart."""

    version: int
    created: datetime
    grade: float | None
    max_grade: float | None
    size: int
    """bytes of the state; 0 without one"""
    action: str


class Event(NamedTuple):
    """A kind of suspicious change, marked by a shape of its own, not by colour alone."""

    name: str
    label: Promise
    shape: str
    """an SVG path, relative to the point"""


GRADE_DECREASED = Event("grade-decreased", _("grade decreased"), "m-6 -13h12l-6 10z")
STATE_EMPTIED = Event("emptied", _("state emptied"), "m0 -7l7 7l-7 7l-7 -7z")
ROW_DELETED = Event("deleted", _("row deleted"), "m-5 -5l10 10m0 -10l-10 10")


def description(points: Sequence[Point]) -> str:
    """Describe a chart in sentences, for screen readers. ``points`` must not be empty."""
    sizes = [point.size for point in points]
    smallest, largest = filesizeformat(min(sizes)), filesizeformat(max(sizes))
    sentences = [_describe_grades([point.grade for point in points if finite(point.grade) is not None], len(points))]
    if smallest == largest:
        sentences.append(gettext("The state has %(size)s.") % {"size": largest})
    else:
        between = {"smallest": smallest, "largest": largest}
        sentences.append(gettext("The state has between %(smallest)s and %(largest)s.") % between)
    for event in (GRADE_DECREASED, STATE_EMPTIED, ROW_DELETED):
        versions = [point.version for i, point in enumerate(points) if event in events_of(points, i, point)]
        if versions:
            sentences.append(f"{capfirst(str(event.label))}: {_versions(versions)}.")
    return " ".join(sentences)


def _describe_grades(grades: Sequence[float | None], count: int) -> str:
    known = [grade for grade in grades if grade is not None]
    versions = ngettext("%(count)d version", "%(count)d versions", count) % {"count": count}
    if not known:
        return gettext("No grade in %(versions)s.") % {"versions": versions}
    grade_texts = {"first": known[0], "last": known[-1], "lowest": min(known), "highest": max(known)}
    return gettext(
        "Grade went from %(first)s to %(last)s over %(versions)s; lowest %(lowest)s, highest %(highest)s."
    ) % {"versions": versions, **{name: number(value) for name, value in grade_texts.items()}}


def _versions(numbers: Sequence[int]) -> str:
    named = ", ".join(map(str, numbers[:NAMED_VERSIONS]))
    more = len(numbers) - NAMED_VERSIONS
    text = gettext("version %(named)s and %(more)d more") if more > 0 else gettext("version %(named)s")
    return text % {"named": named, "more": more}


def events_of(points: Sequence[Point], index: int, point: Point) -> list[Event]:
    before = points[index - 1] if index else None
    if point.action == DELETED:
        return [ROW_DELETED]
    if before is None or before.action == DELETED:
        return []
    events = [GRADE_DECREASED] if has_lower_grade(point, before) else []
    return [*events, STATE_EMPTIED] if point.size <= EMPTY_SIZE < before.size else events


def finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def number(value: float) -> str:
    return f"{value:.6g}"
