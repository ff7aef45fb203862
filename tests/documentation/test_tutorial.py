"""The tutorial works as it is written: its commands, its files, and its steps in a browser."""

import socket
import tempfile
import time
import unittest
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from django.test import SimpleTestCase
from selenium.webdriver.common.by import By

from tests.browser import chromium
from tests.documentation.documents import DOCS, blocks
from tests.documentation.projects import Environment, Project
from tests.documentation.running import Runner

PAGE = DOCS / "tutorial.md"
TEXT = " ".join(PAGE.read_text(encoding="utf-8").split())
PASSWORD = "demo-password"
PROBLEM = chromium.missing()
SECONDS = 60
"""that the server may take to start"""


@unittest.skipIf(PROBLEM, PROBLEM)
class Tutorial(SimpleTestCase):
    """Uses this environment instead of a new one, and a free port; everything else is as in the tutorial."""

    def setUp(self) -> None:
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        (folder / "tides").mkdir()
        self.project = Project(folder / "tides", Environment(folder))
        self.addCleanup(self.project.close)
        self.runner = Runner(self.project)
        self.port = free_port()
        self.sections: list[str] = []
        self.amara, self.robin = (Window(self.enterContext(chromium.chromium()), self.port) for _ in range(2))

    def test_the_answer_is_stored_lost_found_restored_and_lost_again(self) -> None:
        self.run_section("Create a project")
        self.run_section("Store an answer with an XBlock")
        self.wait_for_server()
        self.store_answers()
        self.run_section("Answer as a learner")
        self.run_section("Lose the answer")
        self.assert_answer("")
        self.find_the_entry()
        self.robin.follow("Timeline")
        self.restore("Restore version 2, the last before the loss", "the cleanup was wrong", "Version 4 restored")
        self.assert_answer("at new moon and at full moon")
        self.restore("Undo: restore version 3…", "only a test", "Version 5")
        self.assert_answer("")
        self.run_section("Undo the restore")
        self.assertEqual(self.sections, list(dict.fromkeys(block.section for block in blocks(PAGE))))

    def run_section(self, section: str) -> None:
        self.sections.append(section)
        for block in blocks(PAGE):
            if block.section == section:
                code = block.code.replace("manage.py runserver", f"manage.py runserver {self.port}")
                self.runner.run([replace(block, code=code)])

    def wait_for_server(self) -> None:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            with suppress(OSError), urlopen(f"http://127.0.0.1:{self.port}/login/"):
                return
            time.sleep(0.1)
        self.project.stop_services()
        self.fail("The server does not answer.")

    def store_answers(self) -> None:
        self.amara.sign_in("/", "amara")
        for answer in ("at half moon", "at new moon and at full moon"):
            self.amara.fill(answer=answer)
            self.assert_answer(answer)

    def assert_answer(self, answer: str) -> None:
        self.amara.open("/")
        self.assertEqual(self.amara.find("#answer").text, f"Your answer: {answer}".strip())

    def find_the_entry(self) -> None:
        self.robin.sign_in("/admin/", "robin")
        self.robin.follow("History entries")
        self.robin.fill(q="amara")
        entry = self.robin.find("#result_list tbody tr").text
        for text in ("field removed", "nightly cleanup"):
            self.assertIn(written(text), entry)

    def restore(self, link: str, reason: str, heading: str) -> None:
        """Follow the link to the preview of a restore, and restore. The timeline then begins with the heading."""
        self.robin.follow(link)
        self.robin.find("#id_reason").send_keys(written(reason))
        with self.robin.leaving():
            self.robin.find(".submit-row button").click()
        newest = self.robin.find(".history-steps > li:first-child").text
        self.assertIn(written(heading), newest)
        self.assertIn(reason, newest)


class Window:
    """A browser of one user, at the server of the tutorial."""

    def __init__(self, browser: Any, port: int) -> None:
        self.browser = browser
        self.port = port

    def open(self, path: str) -> None:
        self.browser.get(f"http://127.0.0.1:{self.port}{path}")

    def find(self, selector: str) -> Any:
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def leaving(self) -> AbstractContextManager[None]:
        return chromium.leaving(self.browser)

    def follow(self, link: str) -> None:
        with self.leaving():
            self.browser.find_element(By.PARTIAL_LINK_TEXT, written(link)).click()

    def fill(self, **values: str) -> None:
        """Fill in the fields with these names, and submit their form."""
        for name, value in values.items():
            field = self.find(f"[name={name}]")
            field.send_keys(written(value))
        with self.leaving():
            field.submit()

    def sign_in(self, path: str, name: str) -> None:
        self.open(path)
        self.fill(username=name, password=PASSWORD)


def written(text: str) -> str:
    """Return a text of the pages, which the tutorial must contain."""
    if text not in TEXT:
        raise AssertionError(f"The tutorial does not contain {text!r}.")
    return text


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
