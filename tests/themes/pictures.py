"""Takes the picture of a theme in docs/images.

ADMIN_THEME=unfold DJANGO_SETTINGS_MODULE=tests.themes.settings python manage.py test tests.themes.pictures
"""

import base64
from pathlib import Path

from django.conf import settings

from tests.browser.chromium import resize
from tests.themes.case import ThemeTestCase

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
SIZE = {"width": 1100, "height": 760}


class Picture(ThemeTestCase):
    def test_the_comparison_is_pictured(self) -> None:
        resize(self.browser, *SIZE.values())
        self.open(self.block_pages()["comparison"].path)
        clip = {"x": 0, "y": 0, "scale": 0.7, **SIZE}
        taken = self.browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "png", "clip": clip})
        picture = base64.b64decode(taken["data"])
        self.assertLess(len(picture), 150_000)
        (IMAGES / f"themes-{settings.THEME}.png").write_bytes(picture)
