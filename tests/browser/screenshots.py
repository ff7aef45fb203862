"""Takes the pictures of the admin in docs/images, from a demo that ``make run`` has just loaded.

python -m tests.browser.screenshots [http://127.0.0.1:8000 [docs/images]]
"""

import base64
import sys
from pathlib import Path
from typing import Any

from selenium.webdriver.common.by import By

from tests.browser.chromium import chromium, prefer, resize

SITE = "http://127.0.0.1:8000"
IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
CASE = "lost-field"
SIDEBAR_CLOSED = "localStorage.setItem('django.admin.navSidebarIsOpen', 'false')"
PART = "const box = document.querySelector(arguments[0]).getBoundingClientRect(); return [box.y, box.bottom]"


def main(site: str = SITE, folder: str = str(IMAGES)) -> None:
    """Take every picture, of the pages that the demo's first case and the incident link to."""
    images = Path(folder)
    with chromium() as browser:
        _sign_in(browser, site)
        browser.get(f"{site}/cases/")
        links = browser.find_elements(By.CSS_SELECTOR, f"[aria-labelledby={CASE}] a")
        found, timeline, compare, restore = [link.get_attribute("href") for link in links]
        incident = browser.find_element(By.CSS_SELECTOR, "a[href*=incident]").get_attribute("href")
        browser.get(found)
        _picture(browser, images / "history-list.png", 1280, 820)
        browser.get(timeline)
        _picture(browser, images / "timeline.png", 1200, 1250)
        browser.get(compare)
        _picture(browser, images / "compare.png", 1200)
        browser.get(restore)
        browser.find_element(By.NAME, "reason").send_keys("The regrade was wrong, see ticket 17")
        _picture(browser, images / "restore.png", 1200)
        browser.get(incident)
        _picture(browser, images / "incident.png", 1200, 1100)
        browser.get(timeline)
        browser.get(browser.find_element(By.CSS_SELECTOR, ".history-owner a").get_attribute("href"))
        _picture(browser, images / "learner.png", 1200)
        prefer(browser, "dark")
        browser.get(timeline)
        _picture(browser, images / "timeline-dark.png", 420, 1250)


def _sign_in(browser: Any, site: str) -> None:
    browser.get(f"{site}/admin/login/?next=/admin/")
    browser.execute_script(SIDEBAR_CLOSED)
    for name, text in (("username", "staff"), ("password", "demo")):
        browser.find_element(By.NAME, name).send_keys(text)
    browser.find_element(By.CSS_SELECTOR, "[type=submit]").click()


def _picture(browser: Any, file: Path, width: int, most: int = 2000) -> None:
    """Crop to the area below the page's header, to the end of the content or at most ``most`` pixels."""
    resize(browser, width, most)
    browser.execute_script("document.activeElement.blur()")
    top = browser.execute_script(PART, ".breadcrumbs")[0]
    bottom = browser.execute_script(PART, "#content")[1]
    clip = {"x": 0, "y": top, "width": width, "height": min(bottom, most) - top, "scale": 1}
    taken = browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "png", "clip": clip})
    file.write_bytes(base64.b64decode(taken["data"]))


if __name__ == "__main__":
    main(*sys.argv[1:])
