"""Reads what GitHub renders: tables of contents as lists of links, anchors as HTML, and links out of ``docs``."""

import re
from typing import Any

from sphinx.application import Sphinx

REPOSITORY = "https://github.com/django-student-module-store/django-student-module-store"
ENTRY = re.compile(r"^- \[[^\]]+\]\(([\w/-]+)\.md\)", re.MULTILINE)
ANCHOR = re.compile(r'^<a id="([^"]+)"></a>$', re.MULTILINE)
OUTSIDE = re.compile(r"\]\(((?:\.\./)+)(?!docs/)([^)\s]+)\)")


def rewrite(app: Sphinx, page: str, source: list[str]) -> None:
    """Replace the source of a page by Markdown of MyST with the same meaning."""
    text = ANCHOR.sub(r"(\1)=", source[0])
    text = OUTSIDE.sub(lambda link: address(page, link), text)
    if page.endswith("index"):
        text += "\n```{toctree}\n:hidden:\n\n" + "\n".join(ENTRY.findall(text)) + "\n```\n"
    source[0] = text


def address(page: str, link: re.Match[str]) -> str:
    """Return a link with the address in the repository if it leads out of ``docs``."""
    leads_out = link[1].count("../") > page.count("/")
    return f"]({REPOSITORY}/blob/main/{link[2]})" if leads_out else link[0]


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("source-read", rewrite)
    return {"parallel_read_safe": True}
