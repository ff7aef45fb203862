"""The demo's pages: accessible in light and dark, on a wide and a narrow screen."""

from itertools import pairwise

from django.core.management import call_command
from django.test import override_settings
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser.axe import faults
from tests.browser.case import BrowserTestCase
from tests.browser.chromium import SECONDS, WIDE, prefer, resize

TOO_WIDE = "return document.documentElement.scrollWidth > document.documentElement.clientWidth"
HEADINGS = "return [...document.querySelectorAll('h1, h2, h3, h4')].map(heading => Number(heading.tagName[1]))"
PAGES = ("/cases/", "/", "/conformance/acid/", "/login/", "/admin/")


class DemoPages(BrowserTestCase):
    def setUp(self) -> None:
        super().setUp()
        with override_settings(DEBUG=True):
            call_command("load_demo", verbosity=0)

    def test_pages_are_accessible_and_fit_the_screen(self) -> None:
        for path in PAGES:
            for size in (WIDE, (390, 844)):
                resize(self.browser, *size)
                self.open(path)
                for scheme in ("light", "dark"):
                    prefer(self.browser, scheme)
                    with self.subTest(page=path, size=size, scheme=scheme):
                        self.assertEqual(faults(self.browser), {})
                        self.assertFalse(self.browser.execute_script(TOO_WIDE))

    def test_headings_do_not_skip_a_level(self) -> None:
        # The conformance blocks are published packages with headings of their own.
        for path in ("/cases/", "/", "/login/", "/admin/"):
            self.open(path)
            levels = self.browser.execute_script(HEADINGS)
            with self.subTest(page=path, levels=levels):
                self.assertEqual((levels[0], levels.count(1)), (1, 1))
                self.assertTrue(all(after <= before + 1 for before, after in pairwise(levels)))

    def test_a_hint_opens_without_a_reload(self) -> None:
        self.open("/")
        self.find(".hint-open").click()
        WebDriverWait(self.browser, SECONDS).until(lambda _: self.texts(".hint:not(:empty)"))
        self.assertIn("along one line", " ".join(self.texts(".hint")))
