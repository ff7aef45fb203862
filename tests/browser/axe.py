"""Accessibility faults that axe finds on a page."""

import json
from typing import Any

import django
from selenium_axe_python import Axe

GRAVE = ("serious", "critical")
OF_DJANGO = [
    # The label of the search box is an image. axe ignores its text where a help text exists.
    ("label-title-only", "#searchbar"),
]
if django.VERSION < (6, 0):
    # The links of breadcrumbs differ from the surrounding text in their colour alone.
    OF_DJANGO.append(("link-in-text-block", ".breadcrumbs > a"))
"""faults of the admin's own templates, on its own pages as on these: axe's rule, and how the element's name begins"""
ONLY_FAULTS = "{resultTypes: ['violations']}"
SETTLED = "Promise.all(document.getAnimations().map(one => one.finished)).then(arguments[arguments.length - 1])"


Faults = dict[tuple[str, str], str]


def faults(browser: Any) -> Faults:
    """Return the serious faults of the open page, without the faults of Django's own templates."""
    return {key: message for key, message in all_faults(browser).items() if not is_of_django(*key)}


def is_of_django(rule: str, element: str) -> bool:
    """Return whether a fault belongs to the admin's own templates."""
    return any(rule == known and element.startswith(begin) for known, begin in OF_DJANGO)


def all_faults(browser: Any, within: str = ":root") -> Faults:
    """Return the serious faults of the open page: axe's rule and the element, and the message.

    Only of the elements that a selector finds, which must be at least one.
    """
    # Colours change to another scheme gradually. Their contrast is meaningless until the end.
    browser.execute_async_script(SETTLED)
    axe = Axe(browser)
    axe.inject()
    context = f"document.querySelectorAll({json.dumps(within)})"
    found = axe.run(context, ONLY_FAULTS)["violations"]
    return {
        (fault["id"], " ".join(map(str, node["target"]))): f"{node['html'][:300]} {node['failureSummary']}"
        for fault in found
        if fault["impact"] in GRAVE
        for node in fault["nodes"]
    }
