"""Resolves names in docstrings: names of the public modules, and of Django's and Python's documentation."""

import re
from importlib import import_module
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode

PUBLIC = ("kvstore.api", "history.api", "kvstore.models", "history.models", "history.middleware", "kvstore.signals")
"""where a name that a private module defines is documented, in this order"""
SEVERAL_WORDS = re.compile(r"(?<![`.\w])[A-Z]\w*[a-z][A-Z]\w*\b(?!`|\.\w)")

DJANGO = "https://docs.djangoproject.com/en/5.2/"
PYTHON = "https://docs.python.org/3/library/"
ADDRESSES = {
    **dict.fromkeys(("Model", "models.Model"), DJANGO + "ref/models/instances/#django.db.models.Model"),
    "Manager": DJANGO + "topics/db/managers/#django.db.models.Manager",
    "QuerySet": DJANGO + "ref/models/querysets/#django.db.models.query.QuerySet",
    "HttpRequest": DJANGO + "ref/request-response/#django.http.HttpRequest",
    "HttpResponseBase": DJANGO + "ref/request-response/#django.http.HttpResponse",
    "DatabaseError": DJANGO + "ref/exceptions/#database-exceptions",
    "User": DJANGO + "ref/contrib/auth/#django.contrib.auth.models.User",
    "Any": PYTHON + "typing.html#typing.Any",
    "NamedTuple": PYTHON + "typing.html#typing.NamedTuple",
    "Path": PYTHON + "pathlib.html#pathlib.Path",
    "Counter": PYTHON + "collections.html#collections.Counter",
    "timedelta": PYTHON + "datetime.html#datetime.timedelta",
    "datetime": PYTHON + "datetime.html#datetime.datetime",
    "StrEnum": PYTHON + "enum.html#enum.StrEnum",
    "Enum": PYTHON + "enum.html#enum.Enum",
    **{
        name: f"{PYTHON}collections.abc.html#collections.abc.{name}"
        for name in ("Callable", "Collection", "Iterable", "Iterator", "Mapping", "Sequence", "Awaitable")
    },
    **{name: f"{PYTHON}stdtypes.html#{name}" for name in ("bool", "bytes", "dict", "float", "int", "list", "str")},
    **{name: f"{PYTHON}stdtypes.html#{name}" for name in ("tuple", "set", "frozenset")},
    **{name: f"{PYTHON}functions.html#{name}" for name in ("object", "type")},
    **{name: f"{PYTHON}exceptions.html#{name}" for name in ("Exception", "RuntimeError", "AssertionError")},
    "None": PYTHON + "constants.html#None",
}


def resolve(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.reference | None:
    """Return a reference to the documentation of a name, or None if it is in none."""
    if node.get("refdomain") != "py":
        return None
    name = node["reftarget"].partition("[")[0].rpartition(".")[2]
    objects = env.domains["py"].data["objects"]
    for full_name in (f"{module}.{name}" for module in PUBLIC):
        if full_name in objects:
            entry = objects[full_name]
            return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, content, full_name)
    if name in ADDRESSES:
        return nodes.reference("", "", content, internal=False, refuri=ADDRESSES[name])
    return None


def link_names(app: Sphinx, what: str, name: str, documented: object, options: object, lines: list[str]) -> None:
    """Link the public names of several words in a docstring, such as UnknownLearner."""
    for number, line in enumerate(lines):
        lines[number] = SEVERAL_WORDS.sub(link_name, line)


def link_name(found: re.Match[str]) -> str:
    return f":py:obj:`{found[0]}`" if is_public(found[0]) else found[0]


def is_public(name: str) -> bool:
    """Return whether a public module exports or defines the name."""
    modules = [import_module(module) for module in PUBLIC]
    exported = (name in getattr(module, "__all__", ()) for module in modules)
    defined = (getattr(getattr(module, name, None), "__module__", "") == module.__name__ for module in modules)
    return any(exported) or any(defined)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("autodoc-process-docstring", link_names)
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True}
