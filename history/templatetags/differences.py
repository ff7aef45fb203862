"""The tag that compares the values of changes word by word."""

from collections.abc import Sequence

from django import template

from history.comparison.displayed import DisplayedChange, displayed_changes
from history.comparison.json_diff import FieldChange

register = template.Library()


@register.simple_tag(name="displayed_changes")
def displayed_changes_tag(changes: Sequence[FieldChange], *, full: bool | str = False) -> list[DisplayedChange]:
    """Return the changes as :func:`displayed_changes` does; an undefined variable is an empty string."""
    return displayed_changes(changes, full=bool(full))
