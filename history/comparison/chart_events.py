"""What a picture of a history shows: its points, what happened between them, and all of it in words."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.template.defaultfilters import filesizeformat
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from history.comparison.flags import grade_fell
from history.models import Entry

EMPTY_SIZE = 2
"""bytes of a state without fields, ``{}``"""
NAMED_VERSIONS = 5
DELETED = Entry.Action.DELETED


class Point(NamedTuple):
    """What the picture shows of one version."""

    version: int
    created: datetime
    grade: float | None
    max_grade: float | None
    size: int
    """bytes of the state; 0 where there is none"""
    action: str


class Event(NamedTuple):
    """Something that is told by a shape, not by colour alone."""

    name: str
    label: Promise
    shape: str
    """an SVG path around the place where it happened"""


GRADE_DECREASED = Event("grade-fell", _("grade fell"), "m-6 -13h12l-6 10z")
STATE_EMPTIED = Event("emptied", _("state emptied"), "m0 -7l7 7l-7 7l-7 -7z")
ROW_DELETED = Event("deleted", _("row deleted"), "m-5 -5l10 10m0 -10l-10 10")


def description(points: Sequence[Point]) -> str:
    """Return what the picture shows as sentences, for who cannot see it; ``points`` is not empty."""
    sizes = [point.size for point in points]
    smallest, largest = filesizeformat(min(sizes)), filesizeformat(max(sizes))
    sentences = [_about_the_grade([point.grade for point in points if finite(point.grade) is not None], len(points))]
    if smallest == largest:
        sentences.append(gettext("The state has %(size)s.") % {"size": largest})
    else:
        between = {"smallest": smallest, "largest": largest}
        sentences.append(gettext("The state has between %(smallest)s and %(largest)s.") % between)
    for event in (GRADE_DECREASED, STATE_EMPTIED, ROW_DELETED):
        where = [point.version for i, point in enumerate(points) if event in events_of(points, i, point)]
        if where:
            sentences.append(f"{capfirst(str(event.label))}: {_versions(where)}.")
    return " ".join(sentences)


def _about_the_grade(grades: Sequence[float | None], count: int) -> str:
    known = [grade for grade in grades if grade is not None]
    versions = ngettext("%(count)d version", "%(count)d versions", count) % {"count": count}
    if not known:
        return gettext("No grade in %(versions)s.") % {"versions": versions}
    found = {"first": known[0], "last": known[-1], "lowest": min(known), "highest": max(known)}
    return gettext(
        "Grade went from %(first)s to %(last)s over %(versions)s; lowest %(lowest)s, highest %(highest)s."
    ) % {
        "versions": versions,
        **{name: number(value) for name, value in found.items()},
    }


def _versions(numbers: Sequence[int]) -> str:
    named = ", ".join(map(str, numbers[:NAMED_VERSIONS]))
    more = len(numbers) - NAMED_VERSIONS
    found = {"named": named, "more": more}
    return gettext("version %(named)s and %(more)d more") % found if more > 0 else gettext("version %(named)s") % found


def events_of(points: Sequence[Point], index: int, point: Point) -> list[Event]:
    """Return what happened in a version, against the one before it."""
    before = points[index - 1] if index else None
    if point.action == DELETED:
        return [ROW_DELETED]
    if before is None or before.action == DELETED:
        return []
    fell, emptied = grade_fell(point, before), point.size <= EMPTY_SIZE < before.size
    return [GRADE_DECREASED] * fell + [STATE_EMPTIED] * emptied


def finite(value: float | None) -> float | None:
    """Return a grade, None where it is no finite number."""
    return value if value is not None and math.isfinite(value) else None


def number(value: float) -> str:
    """Return a grade for people."""
    return f"{value:.6g}"
