"""The filter that shows every time on the admin pages in one format."""

from datetime import datetime

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from kvstore.staff.dates import format_moment

register = template.Library()


@register.filter
def moment(value: datetime | None) -> SafeString | str:
    """Return a time as an HTML element with the text of :func:`format_moment`; empty for None."""
    if value is None:
        return ""
    return format_html('<time datetime="{}">{}</time>', value.isoformat(), format_moment(value))
