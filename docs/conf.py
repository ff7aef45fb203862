"""The site of the documentation: ``sphinx-build -W -n --keep-going docs build/site``.

The pages are Markdown that also renders on GitHub. The hooks in ``docs/_site`` therefore read plain Markdown: an index
page's list of links is its table of contents, and ``<a id="...">`` is an anchor. Links to Django's and Python's
documentation are in a table, because a build needs no network.
"""

import os
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(CHECKOUT), str(CHECKOUT / "docs")]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django  # noqa: E402  after the settings

django.setup()

project = "django-student-module-store"
author = "The django-student-module-store project"
project_copyright = author
extensions = ["myst_parser", "sphinx.ext.autodoc", "_site.columns", "_site.markdown", "_site.references"]
exclude_patterns = ["images"]
source_suffix = {".md": "markdown"}
root_doc = "index"
language = "en"

myst_heading_anchors = 4
myst_links_external_new_tab = False

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_class_signature = "mixed"
autodoc_preserve_defaults = True
add_module_names = False
toc_object_entries_show_parents = "hide"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80
# Types of packages without an inventory, and parameters of generic types.
nitpick_ignore_regex = [("py:.*", r"(opaque_keys|xblock)\b.*")]
# An internal type of a public attribute.
nitpick_ignore = [("py:class", "kvstore.versioning.context.RestoredFrom")]

# The SQL of PostgreSQL and MariaDB has syntax that the highlighter of SQL does not know.
suppress_warnings = ["misc.highlighting_failure"]

html_theme = "furo"
pygments_style = "default"
pygments_dark_style = "github-dark"
html_title = "django-student-module-store"
html_theme_options = {"navigation_with_keys": True}
html_static_path = ["_static"]
html_js_files = [("keyboard.js", {"defer": "defer"})]
html_copy_source = False
html_show_sphinx = False
