"""Debian's Chromium, headless."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from selenium import webdriver
from selenium.webdriver.support.wait import WebDriverWait

PROGRAMS = ("chromium", "chromedriver")
PACKAGES = "chromium chromium-driver"

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
WIDE = (1280, 1000)
SECONDS = 20
"""that a page or a script may take"""

OPENED = "return window.isLeft === undefined && document.readyState === 'complete'"
"""whether another page replaced the one in which ``isLeft`` was set"""


def missing() -> str:
    """Return why the tests have no browser; an empty string if they have one."""
    absent = [program for program in PROGRAMS if not shutil.which(program)]
    return f"there is no {' and no '.join(absent)} (Debian: apt-get install {PACKAGES})" if absent else ""


@contextmanager
def chromium() -> AbstractContextManager[Any]:
    """Start a browser of its own, with nothing remembered, and end it."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium")
        for flag in (*FLAGS, f"--user-data-dir={profile}", f"--window-size={WIDE[0]},{WIDE[1]}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        # Named, so that Selenium does not go and download one.
        service = webdriver.ChromeService(executable_path=shutil.which("chromedriver"))
        browser = webdriver.Chrome(options=options, service=service)
        try:
            browser.set_page_load_timeout(SECONDS)
            browser.set_script_timeout(SECONDS)
            yield browser
        finally:
            browser.quit()


@contextmanager
def leaving(browser: Any) -> Iterator[None]:
    """Wait until the actions inside the block have opened another page.

    Chromium sometimes fails instead of answering whether an element of the previous page is stale.
    """
    browser.execute_script("window.isLeft = false")
    yield
    WebDriverWait(browser, SECONDS).until(lambda browser: browser.execute_script(OPENED))


def prefer(browser: Any, scheme: str) -> None:
    """Emulate a user that prefers the ``light`` or ``dark`` colour scheme."""
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )


def resize(browser: Any, width: int, height: int) -> None:
    """Give the page a size, which may be smaller than a window can be."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
