"""Deeply nested JSON gets 400 at every address of the demo that accepts JSON."""

import json

from demo.conformance import CONFORMANCE_COURSES
from tests.demo.visits import DemoTestCase

DEEP = "[" * 100_000
PAGES = ("/", *(f"/conformance/{suite}/" for suite in CONFORMANCE_COURSES))


class DeepJsonTests(DemoTestCase):
    def test_every_handler_answers_400(self) -> None:
        visitor = self.visitor()
        count = 0
        for page in PAGES:
            visitor.address = page
            visitor.reload()
            for block in visitor.page.find_class("xblock"):
                for handler in ("submit", "show_hint", "vote", "choose_size", "close", "check_storage", "get_results"):
                    address = f"{block.get('data-handlers')}{handler}/"
                    for body in (DEEP, "{" + '"choice":' + DEEP + "]" * len(DEEP) + "}"):
                        with self.subTest(address=address):
                            self.assertEqual(visitor.post(address, body).status_code, 400)
                            count += 1
        self.assertGreater(count, 100)

    def test_nothing_was_stored(self) -> None:
        visitor = self.visitor()
        visitor.call("two-high-tides", "submit", json.loads("[" * 500 + "]" * 500))
        visitor.post(visitor.block("two-high-tides").get("data-handlers") + "submit/", DEEP)
        self.assertEqual(visitor.reload().text("two-high-tides", "attempts"), "0 of 2 attempts used")

    def test_the_sign_in_page_does_not_read_json(self) -> None:
        response = self.client.post("/login/", DEEP, content_type="application/json")
        self.assertContains(response, "<h1>Sign in</h1>")

    def test_pages_that_are_only_read_refuse_the_body(self) -> None:
        self.client.force_login(self.learner())
        for address in ("/", "/cases/", "/conformance/acid/", "/resources/xblock.v1/acid/public/test_data.json"):
            with self.subTest(address=address):
                response = self.client.post(address, DEEP, content_type="application/json")
                self.assertEqual(response.status_code, 405)
