"""Every code block of every document runs as it is written, or is marked with the reason why it does not."""

import tempfile
from pathlib import Path

from django.db import connection
from django.test import SimpleTestCase

from tests.documentation.documents import CHECKOUT, PAGES, TREATMENTS, Block, blocks, counts
from tests.documentation.projects import Environment, Project, copy_of, create_project
from tests.documentation.running import Runner
from tests.documentation.servers import databases

BY_ANOTHER_TEST = {CHECKOUT / "docs" / "tutorial.md"}
"""documents whose blocks need steps in a browser between them"""


def name_of(page: Path) -> str:
    """Return the name of the page's test: ``howto_testing`` for docs/howto/testing.md."""
    return "_".join(page.relative_to(CHECKOUT).with_suffix("").parts).removeprefix("docs_").replace("-", "_").lower()


def pages_with_blocks(vendor: str) -> list[Path]:
    """Return the pages with a block to run or to parse that needs this database; '' selects those that need none."""
    return [page for page in PAGES if any(is_treated(block) and block.vendor == vendor for block in blocks(page))]


def is_treated(block: Block) -> bool:
    return block.treatment in ("run", "parsed")


class PageCase(SimpleTestCase):
    """Has one test for each page, named after the page. The projects are processes of their own."""

    databases = {"default"}

    def run_page(self, page: Path, project: Project, vendor: str) -> None:
        try:
            Runner(project, vendor).run(blocks(page))
        finally:
            project.close()

    @classmethod
    def add_tests(cls, pages: list[Path]) -> None:
        for page in pages:

            def test(self: PageCase, page: Path = page) -> None:
                self.check(page)

            setattr(cls, f"test_{name_of(page)}", test)

    def check(self, page: Path) -> None:
        raise NotImplementedError


class OnSQLite(PageCase):
    """The blocks that need no server. They query none of this project's databases, so they run with SQLite only."""

    databases = set()

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.environment = Environment(cls.folder)
        cls.template = create_project(cls.folder / "template", cls.environment)

    def check(self, page: Path) -> None:
        project = copy_of(self.template, self.folder / name_of(page), self.environment)
        self.run_page(page, project, "sqlite")


class OnServer(PageCase):
    """The pages with SQL for the database of this run, in two new databases on its server."""

    def check(self, page: Path) -> None:
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        environment = Environment(folder)
        with databases() as settings:
            self.run_page(page, create_project(folder / "project", environment, settings), connection.vendor)


OnSQLite.add_tests([page for page in pages_with_blocks("") if page not in BY_ANOTHER_TEST])
OnServer.add_tests(pages_with_blocks(connection.vendor))


class Markers(SimpleTestCase):
    @classmethod
    def tearDownClass(cls) -> None:
        numbers = counts(PAGES)
        print("Code blocks:", ", ".join(f"{numbers[kind]} {text}" for kind, text in TREATMENTS.items()))
        super().tearDownClass()

    def test_every_block_has_a_language_and_a_marker_where_it_needs_one(self) -> None:
        for page in PAGES:
            for block in blocks(page):
                with self.subTest(block.place):
                    self.assertEqual(block.problem, "")

    def test_a_block_of_an_unknown_kind_is_found(self) -> None:
        cases = {
            "```\nmake\n```": "language ''",
            "```bash\nmake\n```": "language 'bash'",
            "```sql\nSELECT 1\n```": "marker 'run on'",
            "<!-- run on: oracle -->\n```sql\nSELECT 1\n```": "postgresql or on mysql",
            "<!-- not run: -->\n```sh\nmake\n```": "needs a value",
            "<!-- not run -->\n```sh\nmake\n```": "needs a value",
            "<!-- run by: tests/absent.py -->\n```sh\nmake\n```": "no such test",
        }
        for text, problem in cases.items():
            with self.subTest(text):
                (block,) = blocks(CHECKOUT / "README.md", text)
                self.assertIn(problem, block.problem)

    def test_a_block_is_found_in_a_list_and_has_its_own_indentation_only(self) -> None:
        text = "- text\n\n  <!-- run on: mysql, default -->\n  ```sql\n  SELECT\n    1;\n  ```\n"
        (block,) = blocks(CHECKOUT / "README.md", text)
        self.assertEqual((block.line, block.code), (5, "SELECT\n  1;\n"))
        self.assertEqual((block.vendor, block.alias, block.treatment, block.problem), ("mysql", "default", "run", ""))
