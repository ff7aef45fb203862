"""The element around each block. The page's script uses it to find and start the block."""

import json
from collections.abc import Mapping

from django.forms.utils import flatatt
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from web_fragments.fragment import Fragment

# Only these characters could end a script element or start a comment; JSON decodes the escapes.
SCRIPT_ESCAPES = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026"}


def wrapped(fragment: Fragment, css_class: str, attributes: Mapping[str, str]) -> Fragment:
    """Return the fragment inside an element that carries its attributes, start function and arguments."""
    started = {"data-init": fragment.js_init_fn} if fragment.js_init_fn else {}
    result = Fragment(
        format_html(
            "<div{}>{}{}</div>",
            flatatt({"class": css_class, **attributes, **started}),
            # A block's markup is as trusted as its code; its author escapes the input of learners.
            mark_safe(fragment.body_html()),  # noqa: S308
            _arguments(fragment.json_init_args),
        )
    )
    result.add_fragment_resources(fragment)
    return result


def _arguments(init_args: object) -> SafeString:
    if init_args is None:
        return SafeString()
    encoded = json.dumps(init_args).translate(SCRIPT_ESCAPES)
    return format_html(
        '<script type="application/json" class="xblock-init-args">{}</script>',
        mark_safe(encoded),  # noqa: S308
    )
