"""The page of the cases leads staff to pages of the admin that exist."""

import re

from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import override_settings
from lxml import html

from history.api import deliver
from history.testing import history_unavailable
from tests.demo.visits import DemoTestCase, Visitor

QUESTIONS = 5


@override_settings(DEBUG=True)
class CasesPageTests(DemoTestCase):
    @classmethod
    def setUpTestData(cls) -> None:
        call_command("load_demo", verbosity=0)

    def setUp(self) -> None:
        self.staff = Visitor(User.objects.get(username="staff"), "/cases/")

    def cases(self) -> list:
        return self.staff.page.find_class("case")

    def links(self) -> list[str]:
        return [link for case in self.cases() for link in case.xpath(".//a/@href")]

    def test_each_case_has_a_question_of_a_person_and_steps(self) -> None:
        self.assertEqual(len(self.cases()), QUESTIONS)
        for case in self.cases():
            with self.subTest(case=case.get("aria-labelledby")):
                self.assertTrue(case.xpath("string(.//blockquote/p)").strip())
                self.assertTrue(case.xpath("string(.//blockquote/footer)").strip())
                self.assertGreaterEqual(len(case.xpath(".//ol/li")), 2)

    def test_every_link_answers_200(self) -> None:
        self.assertGreater(len(self.links()), 12)
        for link in self.links():
            with self.subTest(link=link):
                self.assertEqual(self.staff.client.get(link, follow=True).status_code, 200)

    def test_the_pages_behind_the_links_show_the_answer(self) -> None:
        for part, text in (
            ("compare", "in-line"),
            ("timeline", "nightly regrade"),
            ("pendinghistory", "pending history entries"),
            ("restore", "Restore version"),
            ("from=", "import of answers from paper"),
        ):
            (link, *_) = [link for link in self.links() if part in link]
            with self.subTest(link=link):
                self.assertContains(self.staff.client.get(link), text)

    def test_it_names_the_account_for_the_admin(self) -> None:
        self.assertIn("account <strong>staff</strong>", " ".join(self.staff.source.split()))

    def test_learners_see_no_case_but_the_account(self) -> None:
        self.client.force_login(User.objects.get(username="newcomer"))
        response = self.client.get("/cases/")
        self.assertContains(response, "sign in as <strong>staff</strong>", status_code=403)
        self.assertNotContains(response, "lost-field", status_code=403)

    def test_it_needs_a_session(self) -> None:
        self.assertRedirects(self.client.get("/cases/"), "/login/?next=/cases/")

    def test_it_reports_that_no_entry_is_pending_after_a_delivery(self) -> None:
        deliver()
        self.assertIn("No entry is pending", self.staff.reload().source)

    def test_an_outage_of_the_history_is_a_sentence(self) -> None:
        with history_unavailable():
            response = self.staff.client.get("/cases/")
        self.assertContains(response, "The history database does not answer", status_code=503)

    def test_headings_are_in_order(self) -> None:
        levels = [int(name[1]) for name in re.findall(r"<(h\d)", self.staff.source)]
        self.assertEqual(levels, [1, *[2] * QUESTIONS])

    def test_the_learner_page_and_the_admin_link_to_it_for_staff(self) -> None:
        for address in ("/", "/admin/"):
            page = html.fromstring(self.staff.client.get(address).content)
            self.assertTrue(page.xpath("//a[@href='/cases/']"), address)
        self.client.force_login(User.objects.get(username="newcomer"))
        self.assertNotContains(self.client.get("/"), "/cases/")


class EmptyDemoTests(DemoTestCase):
    def test_without_the_demos_data_the_page_names_the_command(self) -> None:
        page = self.visitor("robin", "/cases/", is_staff=True)
        self.assertEqual(len(page.page.find_class("case")), QUESTIONS)
        self.assertIn("load_demo", page.source)
