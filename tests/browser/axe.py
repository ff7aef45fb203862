"""What axe finds at fault in a page."""

from typing import Any

from selenium_axe_python import Axe

GRAVE = ("serious", "critical")
OF_DJANGO = (
    # The search box is labelled by a picture, whose text axe does not take for a label where a help text is.
    ("label-title-only", "#searchbar"),
    # The links of breadcrumbs are told from the text beside them by their colour alone.
    ("link-in-text-block", ".breadcrumbs > a"),
)
"""faults of the admin's own templates, on its own pages as on these: axe's rule, and how the element's name begins"""
ONLY_FAULTS = "{resultTypes: ['violations']}"
SETTLED = "Promise.all(document.getAnimations().map(one => one.finished)).then(arguments[arguments.length - 1])"


Faults = dict[tuple[str, str], str]


def faults(browser: Any) -> Faults:
    """Return the grave faults of the page that the browser shows, but for those of Django's own templates."""
    return {key: said for key, said in all_faults(browser).items() if not is_of_django(*key)}


def is_of_django(rule: str, element: str) -> bool:
    """Return whether a fault is one of those that the admin's own templates have."""
    return any(rule == known and element.startswith(begin) for known, begin in OF_DJANGO)


def all_faults(browser: Any) -> Faults:
    """Return the grave faults of the page that the browser shows: axe's rule and the element, and what is wrong."""
    # Colours glide to another scheme; on the way their contrast says nothing.
    browser.execute_async_script(SETTLED)
    axe = Axe(browser)
    axe.inject()
    found = axe.run(options=ONLY_FAULTS)["violations"]
    return {
        (fault["id"], " ".join(map(str, node["target"]))): f"{node['html'][:300]} {node['failureSummary']}"
        for fault in found
        if fault["impact"] in GRAVE
        for node in fault["nodes"]
    }
