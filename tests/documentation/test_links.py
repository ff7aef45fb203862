"""The imports in the documentation run, and the files and headings that it names exist."""

import ast
import re

from django.test import SimpleTestCase

from tests.documentation.documents import CHECKOUT, DOCUMENTS, blocks

SHIPPED = ("history", "kvstore", "routers")
"""the packages whose imports are checked; blocks also import the reader's modules, and packages of other versions"""

FENCED = re.compile(r"^ *```.*?^ *```", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|<img [^>]*src=\"([^\"]+)\"")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
MODULE = re.compile(r"`((?:kvstore|history|demo|config|tests|bench)/[\w/]*\w\.\w+)`")
ANCHOR = re.compile(r"<a id=\"([^\"]+)\">")


def import_statements(document, text=None):
    """Return every import statement of the Python blocks in a document."""
    trees = [ast.parse(block.code) for block in blocks(document, text) if block.language == "python"]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    return [ast.unparse(node) for node in nodes if isinstance(node, (ast.Import, ast.ImportFrom))]


def relative_links(text):
    """Return the targets of links that name no scheme."""
    found = LINK.findall(CODE.sub("``", FENCED.sub("", text)))
    return [link for pair in found for link in pair if link and not re.match(r"[a-z]+:", link)]


def anchors(text):
    """Return the anchors of a document: GitHub's anchors of its headings, and explicit ones."""
    text = FENCED.sub("", text)
    headings = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(text)]
    return {*headings, *ANCHOR.findall(text)}


def problem_of(document, link):
    """Return why a link is broken, or an empty string."""
    path, _, anchor = link.partition("#")
    target = (document.parent / path).resolve() if path else document
    if not target.exists() or not target.is_relative_to(CHECKOUT):
        return f"{link}: no such file"
    if anchor and anchor not in anchors(target.read_text(encoding="utf-8")):
        return f"{link}: no such heading"
    return ""


class Documentation(SimpleTestCase):
    def test_every_import_runs(self):
        count = 0
        for document in DOCUMENTS:
            for statement in import_statements(document):
                if statement.split()[1].partition(".")[0] in SHIPPED:
                    count += 1
                    with self.subTest(document=document.name, statement=statement):
                        self.assert_runs(statement)
        self.assertGreater(count, 10)

    def assert_runs(self, statement):
        try:
            exec(statement, {})  # noqa: S102  a statement of this repository's documentation
        except ModuleNotFoundError as error:
            # A module for newer versions of Django cannot be imported with this one.
            if error.name.partition(".")[0] != "django":
                raise

    def test_every_relative_link_has_a_file_and_heading(self):
        count = 0
        for document in DOCUMENTS:
            for link in relative_links(document.read_text(encoding="utf-8")):
                count += 1
                with self.subTest(document=document.name, link=link):
                    self.assertEqual(problem_of(document, link), "")
        self.assertGreater(count, 50)

    def test_every_named_file_exists(self):
        count = 0
        for document in DOCUMENTS:
            for name in MODULE.findall(document.read_text(encoding="utf-8")):
                count += 1
                with self.subTest(document=document.name, name=name):
                    self.assertTrue((CHECKOUT / name).is_file())
        self.assertGreater(count, 20)

    def test_a_wrong_name_and_a_wrong_link_are_found(self):
        (statement,) = import_statements(
            CHECKOUT / "README.md", "- text\n\n  ```python\n  def f():\n      from kvstore.api import Absent\n  ```\n"
        )
        with self.assertRaises(ImportError):
            exec(statement, {})  # noqa: S102  the statement above
        readme = CHECKOUT / "README.md"
        links = relative_links("[a](absent.md) [b](README.md#absent) `[c](d)` [e](https://a.org) [f](#guarantees)")
        self.assertEqual([bool(problem_of(readme, link)) for link in links], [True, True, False])
