"""The site builds without a warning, and contains the search index and every public name."""

import importlib
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest import skipIf

from django.test import SimpleTestCase
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait
from sphinx.util.inventory import InventoryFile

from tests.browser import chromium
from tests.browser.axe import faults
from tests.documentation.documents import CHECKOUT, DOCS

PUBLIC = ("kvstore.api", "history.api", "kvstore.testing", "history.testing")
NO_BROWSER = chromium.missing()


def links_of_the_search(browser: Any) -> list[str]:
    return [link.text for link in browser.find_elements(By.CSS_SELECTOR, "#search-results a")]


class Site(SimpleTestCase):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        command = [sys.executable, "-m", "sphinx", "-W", "-n", "--keep-going", "-q", str(DOCS), str(cls.folder)]
        cls.build = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)

    def test_there_is_no_warning(self) -> None:
        self.assertEqual((self.build.stderr, self.build.returncode), ("", 0))

    def test_every_page_is_in_the_contents_and_in_the_search_index(self) -> None:
        contents = (self.folder / "index.html").read_text(encoding="utf-8")
        index = (self.folder / "searchindex.js").read_text(encoding="utf-8")
        for page in DOCS.rglob("*.md"):
            name = page.relative_to(DOCS).with_suffix("").as_posix()
            with self.subTest(name):
                self.assertTrue((self.folder / f"{name}.html").is_file())
                self.assertIn(f'"{name}"', index)
                if name != "index":
                    self.assertIn(f'href="{name}.html"', contents)

    @skipIf(NO_BROWSER, NO_BROWSER)
    def test_the_search_works_without_a_server(self) -> None:
        with chromium.chromium() as browser:
            browser.get(f"file://{self.folder}/search.html?q=circuit+breaker")
            # The script adds the results one after the other.
            WebDriverWait(browser, chromium.SECONDS).until(
                lambda browser: "Outages of the history database" in links_of_the_search(browser)
            )

    @skipIf(NO_BROWSER, NO_BROWSER)
    def test_axe_finds_no_serious_fault(self) -> None:
        with chromium.chromium() as browser:
            for scheme in ("light", "dark"):
                chromium.prefer(browser, scheme)
                for page in ("index", "tutorial"):
                    with self.subTest(page=page, scheme=scheme):
                        browser.get(f"file://{self.folder}/{page}.html")
                        self.assertEqual(faults(browser), {})

    def test_every_public_name_is_documented(self) -> None:
        with (self.folder / "objects.inv").open("rb") as file:
            inventory = InventoryFile.load(file, "", lambda base, path: path)
        documented = {name for kind in inventory.values() for name in kind}
        for module in PUBLIC:
            for name in importlib.import_module(module).__all__:
                with self.subTest(module=module, name=name):
                    self.assertTrue({f"{module}.{name}", f"kvstore.api.{name}"} & documented)
