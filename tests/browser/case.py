"""A browser with a signed-in member of staff, and a learner with a lost answer."""

import unittest
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.staticfiles.testing import StaticLiveServerTestCase
from django.db import connection
from django.urls import reverse
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from history.api import change_context
from kvstore.api import DjangoXBlockUserStateClient, set_score
from kvstore.models import StudentModule
from kvstore.testing import UserFactory
from tests.browser import chromium
from tests.kvstore.cache.blocks import usage

BLOCK = usage("spring-tides")
PROBLEM = chromium.missing()


def page(name: str, *args: Any) -> str:
    """Return the address of a page of the history."""
    return reverse(f"admin:xblock_history_{name}", args=args)


@unittest.skipIf(PROBLEM, PROBLEM)
@unittest.skipUnless(connection.vendor == "sqlite", "what a browser shows is the same over every database")
class BrowserTestCase(StaticLiveServerTestCase):
    """The server answers in other threads, over connections of their own, so everything here is committed."""

    databases = {"default", "student_module_history"}

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.browser = cls.enterClassContext(chromium.chromium())

    def setUp(self) -> None:
        self.staff = UserFactory(username="robin", is_staff=True, is_superuser=True)
        self.learner = UserFactory(username="amara")
        self.row = lost_answer(self.learner, self.staff)
        chromium.prefer(self.browser, "light")
        chromium.resize(self.browser, *chromium.WIDE)
        self.sign_in(self.staff)

    def sign_in(self, user: User) -> None:
        self.client.force_login(user)
        name = settings.SESSION_COOKIE_NAME
        cookie = {"name": name, "value": self.client.cookies[name].value, "url": self.live_server_url}
        self.browser.execute_cdp_cmd("Network.setCookie", cookie)

    def sign_out(self) -> None:
        # Selenium's own method deletes the cookies of the open page alone.
        self.browser.execute_cdp_cmd("Network.clearBrowserCookies", {})

    def open(self, path: str) -> None:
        self.browser.get(self.live_server_url + path)

    def find(self, selector: str) -> Any:
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def texts(self, selector: str) -> list[str]:
        return [element.text for element in self.browser.find_elements(By.CSS_SELECTOR, selector)]

    @property
    def text(self) -> str:
        return self.find("#main").text

    def leaving(self) -> AbstractContextManager[None]:
        return chromium.leaving(self.browser)

    def follow(self, link: str) -> None:
        with self.leaving():
            self.browser.find_element(By.PARTIAL_LINK_TEXT, link).click()

    def press(self, *keys: str) -> None:
        self.browser.switch_to.active_element.send_keys(*keys)

    def tab_to(self, is_there: Callable[[Any], bool]) -> None:
        """Press Tab until the element has the focus, as users without a mouse do."""
        for _ in range(120):
            self.press(Keys.TAB)
            if is_there(self.browser.switch_to.active_element):
                return
        self.fail("The keyboard does not get there.")


def lost_answer(learner: User, actor: User) -> StudentModule:
    """Answer wrong, answer right, and lose the answer: six versions."""
    client = DjangoXBlockUserStateClient()
    for attempts, answer in enumerate(("quarters", "in-line"), start=1):
        with change_context(actor=learner, request_id=f"request-{attempts}"):
            client.set(learner.username, BLOCK, {"answer": answer, "attempts": attempts})
            set_score(learner.pk, BLOCK, 2 * (attempts - 1), 2)
    with change_context(actor=actor, reason="nightly regrade", request_id="job-17"):
        client.delete(learner.username, BLOCK, fields=["answer"])
        set_score(learner.pk, BLOCK, 0, 2)
    return StudentModule.objects.get(student=learner, module_state_key=BLOCK)
