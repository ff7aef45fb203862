"""Tasks of support staff in the demo, with the number of clicks that each one takes."""

from contextlib import contextmanager
from typing import Any

from django.core.management import call_command
from django.test import override_settings
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from demo.cases import harmful_job, lost_field, wrong_grade
from demo.cases.term import versions_of
from history.api import timeline
from kvstore.models import StudentModule
from kvstore.versioning.codec import loads_state
from tests.admin.lists.case import HISTORY_LIST
from tests.browser.case import BrowserTestCase

SEARCH = "#searchbar"


class Support(BrowserTestCase):
    """Each task begins at the list of history entries."""

    def setUp(self) -> None:
        super().setUp()
        with override_settings(DEBUG=True):
            call_command("load_demo", verbosity=0)
        self.clicks = 0
        self.open(HISTORY_LIST)

    @contextmanager
    def takes_clicks(self, number: int) -> Any:
        yield
        self.assertEqual(self.clicks, number)

    def click(self, link: str, *, within: str = "body") -> None:
        """Click a link with this text, and open its page."""
        self.clicks += 1
        with self.leaving():
            self.find(within).find_element(By.PARTIAL_LINK_TEXT, link).click()

    def press_button(self, label: str) -> None:
        self.clicks += 1
        with self.leaving():
            self.browser.find_element(
                By.XPATH, f"//*[(self::button or self::input) and contains(concat(., @value), '{label}')]"
            ).click()

    def search(self, text: str) -> None:
        field = self.find(SEARCH)
        field.clear()
        with self.leaving():
            field.send_keys(text, Keys.ENTER)

    def type_reason(self, text: str) -> None:
        self.find("[name=reason]").send_keys(text)

    def test_a_lost_answer_is_found_by_its_owners_name_restored_and_the_restore_undone(self) -> None:
        lost = versions_of(lost_field.REQUEST_ID)[-1]
        row = StudentModule.objects.get(pk=lost.student_module_id)
        with self.takes_clicks(5):
            self.search("TARIQ rahman")
            self.click("(tariq.rahman)", within=".list-choices")
            self.assertIn("field removed", self.text)
            self.click("Timeline", within="#result_list tr:has(.history-flags)")
            self.click("the last before the loss")
            self.type_reason("lost by the regrade, ticket 17")
            self.press_button("and its grade: 2 / 2")
            row.refresh_from_db()
            self.assertEqual((loads_state(row.state)["answer"], row.grade), ("in-line", 2))
            self.click("Undo")
        self.type_reason("restored too early")
        self.press_button("and its grade: 0 / 2")
        row.refresh_from_db()
        self.assertNotIn("answer", loads_state(row.state))
        self.assertEqual((row.grade, self.clicks), (0, 6))

    def test_a_grade_on_a_date(self) -> None:
        (entry,) = versions_of(wrong_grade.REQUEST_ID)
        row = StudentModule.objects.get(pk=entry.student_module_id)
        day_before = list(timeline(row.student_id, wrong_grade.BLOCK))[1].created
        with self.takes_clicks(2):
            self.search(f"learner:{row.student.username}")
            self.click(f"({row.student.username})", within="#result_list")
            field = self.find("[name=moment]")
            self.browser.execute_script("arguments[0].value = arguments[1]", field, f"{day_before:%Y-%m-%dT%H:%M:59}")
            self.press_button("Show")
        (block,) = (text for text in self.texts("#content tbody tr") if wrong_grade.BLOCK.block_id in text)
        self.assertIn("1 / 1", block)

    def test_the_user_who_changed_a_grade(self) -> None:
        (entry,) = versions_of(wrong_grade.REQUEST_ID)
        username = StudentModule.objects.get(pk=entry.student_module_id).student.username
        with self.takes_clicks(1):
            self.search(f"learner:{username}")
            self.click("grade decreased", within="#changelist-filter")
        self.assertEqual(len(self.texts("#result_list tbody tr")), 1)
        self.assertIn("Ines Duarte (ines.duarte)", self.find("#result_list .field-changed_by").text)
        self.assertIn(wrong_grade.REASON[:20], self.find("#result_list .field-changed_by").text)

    def test_forty_learners_are_repaired_of_whom_three_had_continued(self) -> None:
        harmed = {entry.student_module_id for entry in versions_of(harmful_job.REQUEST_ID)}
        with self.takes_clicks(3):
            self.click("REPAIR AN INCIDENT")
            self.find("[name=request_id]").send_keys(harmful_job.REQUEST_ID)
            self.press_button("Preview")
            for text in ("37 restored", "2 merged", "1 skipped"):
                self.assertIn(text, self.text)
            self.type_reason("the import used the wrong column")
            self.press_button("Repair")
        answers = [loads_state(row.state)["answer"] for row in StudentModule.objects.filter(pk__in=harmed)]
        self.assertEqual((len(answers), answers.count("in-line"), answers.count("quarters")), (40, 39, 1))
