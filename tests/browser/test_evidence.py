"""The page of an export is accessible, fits a narrow screen and a sheet of paper, and executes nothing."""

import base64
import io
import tempfile
import zipfile
from pathlib import Path

from history.api import change_context, export_evidence
from kvstore.api import DjangoXBlockUserStateClient
from tests.browser.axe import all_faults
from tests.browser.case import BLOCK, BrowserTestCase
from tests.browser.chromium import resize
from tests.browser.test_appearance import HOSTILE, RAN, TOO_WIDE

LONG = "w" * 3_000


class EvidencePage(BrowserTestCase):
    def setUp(self) -> None:
        super().setUp()
        with change_context(actor=self.staff, reason=HOSTILE[0][:200]):
            state = {"long": LONG, LONG[:200]: 1, **dict.fromkeys(HOSTILE, HOSTILE[2])}
            DjangoXBlockUserStateClient(self.learner).set(self.learner.username, BLOCK, state)
        target = io.BytesIO()
        export_evidence(self.learner, BLOCK, target, exported_by=self.staff)
        folder = self.enterContext(tempfile.TemporaryDirectory())
        with zipfile.ZipFile(target) as archive:
            archive.extract("index.html", folder)
        self.browser.get(Path(folder, "index.html").as_uri())

    def test_it_fits_and_is_accessible(self) -> None:
        for width in (1280, 390):
            resize(self.browser, width, 900)
            with self.subTest(width=width):
                self.assertEqual(self.browser.execute_script(TOO_WIDE), [])
                self.assertEqual(all_faults(self.browser), {})
        self.assertIsNone(self.browser.execute_script(RAN))

    def test_it_prints(self) -> None:
        sheets = base64.b64decode(self.browser.execute_cdp_cmd("Page.printToPDF", {})["data"])
        self.assertTrue(sheets.startswith(b"%PDF"))
        self.assertGreater(sheets.count(b"/Type /Page\n") + sheets.count(b"/Type /Page "), 0)
