"""The storage checks of acid-xblock succeed for every block, aside and scope."""

from collections.abc import Iterator
from urllib.parse import urlencode

from tests.demo.visits import DemoTestCase, Visitor

SCOPES = {"user_state", "user_state_summary", "preferences", "user_info"}
FORM = "application/x-www-form-urlencoded"
# a parent, two children, and an aside on each of the three
PLACES = 6


class AcidTests(DemoTestCase):
    def test_the_page_has_every_check(self) -> None:
        rows = self.rows(self.visitor(address="/conformance/acid/"))
        self.assertEqual(len(rows), PLACES * len(SCOPES))
        addresses = [row.get("data-handler-url") for row in rows]
        self.assertEqual(sum("aside-usage-v2" in address for address in addresses), 3 * len(SCOPES))
        self.assertEqual({row.get("data-scope") for row in rows}, SCOPES)

    def test_every_check_succeeds_for_two_learners_twice(self) -> None:
        learners = [self.visitor(name, "/conformance/acid/") for name in ("amara", "mateo")]
        for _ in range(2):
            for visitor in learners:
                answers = list(self.checks(visitor.reload()))
                self.assertEqual(len(answers), 2 * PLACES * len(SCOPES))
                failed = [answer for answer in answers if answer["status"] != "ok"]
                self.assertEqual(failed, [])

    def test_a_wrong_value_fails(self) -> None:
        visitor = self.visitor(address="/conformance/acid/")
        row = self.rows(visitor)[0]
        wrong = urlencode({"VALUE": int(row.get("data-value")) + 1})
        answer = visitor.post(row.get("data-handler-url"), wrong, FORM).json()
        self.assertEqual(answer["status"], "error")

    def test_the_page_asks_no_other_host(self) -> None:
        visitor = self.visitor(address="/conformance/acid/")
        sources = visitor.page.xpath("//script/@src | //link/@href | //img/@src")
        self.assertEqual([source for source in sources if not source.startswith(("/static/", "data:"))], [])

    def rows(self, visitor: Visitor) -> list:
        return visitor.page.find_class("scope-storage-test")

    def checks(self, visitor: Visitor) -> Iterator[dict]:
        """Answer each row twice: at the address the server wrote, then at one that the script builds."""
        for row in self.rows(visitor):
            first = self.check(visitor, row.get("data-handler-url"), row.get("data-value"))
            yield first
            (element, *_) = row.xpath("ancestor::*[@data-handlers][1]")
            address = f"{element.get('data-handlers')}check_storage/{first['suffix']}?{first['query']}"
            yield self.check(visitor, address, first["value"])

    def check(self, visitor: Visitor, address: str, value: object) -> dict:
        response = visitor.post(address, urlencode({"VALUE": value}), FORM)
        self.assertEqual(response.status_code, 200)
        return dict(response.json())
