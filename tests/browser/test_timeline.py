"""Staff read a timeline, compare versions without a mouse, and put one back."""

from datetime import timedelta

from django.utils import timezone
from selenium.webdriver.common.keys import Keys

from kvstore.api import DjangoXBlockUserStateClient
from kvstore.models import StudentModule
from tests.browser.case import BLOCK, BrowserTestCase, page

FLAGS = "li[id$='.{version}'] .history-flags li"


class Timeline(BrowserTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.timeline = page("timeline", self.row.pk)

    def test_versions_are_flagged(self) -> None:
        self.open(self.timeline)
        self.assertIn("field removed", self.texts(FLAGS.format(version=5)))
        self.assertIn("grade decreased", self.texts(FLAGS.format(version=6)))
        self.assertIn("nightly regrade", self.text)
        self.assertIn("6 versions, none missing", self.text)
        self.assertTrue(self.find("svg").is_displayed())

    def test_two_versions_are_chosen_and_compared_by_the_keyboard(self) -> None:
        self.open(page("version", self.row.pk, 1))
        self.tab_to(lambda focused: focused.get_attribute("href") == self.live_server_url + self.timeline)
        with self.leaving():
            self.press(Keys.ENTER)
        # The newest is chosen as the newer one, the one before it as the older.
        self.tab_to(lambda focused: focused.get_attribute("name") == "b")
        self.press(Keys.ARROW_DOWN)
        self.press(Keys.ARROW_DOWN)
        self.tab_to(lambda focused: focused.get_attribute("name") == "a")
        for _ in range(4):
            self.press(Keys.ARROW_DOWN)
        with self.leaving():
            self.press(Keys.ENTER)
        self.assertEqual(self.find("h1").text, "Versions 1 and 4")
        self.assertEqual(self.texts(".history-changes tbody th"), ["answer", "attempts"])
        self.assertEqual(self.texts(".history-changes del"), ['"quarters"', "1"])
        self.assertEqual(self.texts(".history-changes ins"), ['"in-line"', "2"])

    def test_a_version_is_shown_in_full(self) -> None:
        self.open(self.timeline)
        self.follow("Version 4")
        self.assertIn('"answer": "in-line"', self.find("pre.history-text").text)
        self.assertFalse(self.find("pre.history-raw").is_displayed())
        self.find("details summary").click()
        self.assertEqual(self.find("pre.history-raw").text, '{"answer":"in-line","attempts":2}')
        self.assertIn("SHA-256", self.text)

    def test_the_version_current_at_a_time(self) -> None:
        now = timezone.now()
        for moment, message in (
            (now + timedelta(seconds=1), "This version was current at"),
            (now - timedelta(hours=1), "No version existed at"),
        ):
            self.open(self.timeline)
            # How a moment is typed depends on the browser's language; its value does not.
            self.browser.execute_script(
                "arguments[0].value = arguments[1]", self.find("#history-moment"), moment.strftime("%Y-%m-%dT%H:%M:%S")
            )
            with self.leaving():
                self.find("#history-moment + button").click()
            self.assertIn(message, self.find(".messagelist").text)

    def restore(self, reason: str, *, grade: bool) -> None:
        self.find("#id_reason").send_keys(reason)
        if grade:
            self.find("#id_grade").click()
        with self.leaving():
            self.find(".submit-row input[type=submit]").click()

    def test_a_version_is_put_back_with_its_grade_when_ticked(self) -> None:
        for grade, expected, restored in ((False, 0, 7), (True, 2, 8)):
            self.open(page("version", self.row.pk, 4))
            self.follow("Restore this version")
            self.assertEqual("in-line" in self.find("section").text, not grade)
            self.restore("the regrade was wrong", grade=grade)
            message = f"Version 4 was restored as version {restored}."
            self.assertEqual(self.find(".messagelist .success").text, message)
            newest = self.find(".history-steps > li:first-child").text
            for text in (
                f"Version {restored} restored",
                "by robin",
                "the regrade was wrong",
                "Restored from version 4",
            ):
                self.assertIn(text, newest)
            self.row.refresh_from_db()
            self.assertEqual((self.row.version, self.row.grade), (restored, expected))

    def test_a_version_is_not_restored_over_a_later_write_of_the_learner(self) -> None:
        self.open(page("restore", self.row.pk, 4))
        DjangoXBlockUserStateClient().set("amara", BLOCK, {"answer": "midsummer"})
        self.restore("the regrade was wrong", grade=True)
        self.assertIn("Nothing was written", self.find(".errornote").text)
        self.assertEqual(self.texts("section .history-changes del"), ['"midsummer"'])
        self.assertEqual(self.texts("section .history-changes ins"), ['"in-line"'])
        self.assertEqual(StudentModule.objects.get().version, 7)
        # The form keeps the typed reason, and the confirmation applies to the new difference.
        with self.leaving():
            self.find(".submit-row input[type=submit]").click()
        self.assertIn("Version 4 was restored as version 8.", self.text)
