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
        # The regrade made two versions, which are one step.
        self.assertIn("field removed", self.texts(FLAGS.format(version=6)))
        self.assertIn("grade decreased", self.texts(FLAGS.format(version=6)))
        self.assertEqual(len(self.texts("li.history-step")), 3)
        self.assertIn("nightly regrade", self.text)
        self.assertIn("6 versions, none missing", self.text)
        self.assertTrue(self.find("svg").is_displayed())

    def test_two_versions_are_chosen_and_compared_by_the_keyboard(self) -> None:
        self.open(page("version", self.row.pk, 1))
        self.tab_to(lambda focused: focused.get_attribute("href") == self.live_server_url + self.timeline)
        with self.leaving():
            self.press(Keys.ENTER)
        self.assertEqual(self.find("#content h1").text, "Timeline of spring-tides for amara")
        for text in ("Choose as older version 2", "Choose as newer version 4", "Compare the chosen versions"):
            self.tab_to(lambda focused, text=text: focused.get_attribute("textContent") == text)
            with self.leaving():
                self.press(Keys.ENTER)
        self.assertEqual(self.find("h1").text, "Versions 2 and 4 of spring-tides for amara")
        self.assertEqual(self.texts(".history-changes tbody th"), ["answer", "attempts"])
        self.assertEqual(self.texts(".history-changes del"), ['"quarters"', "1"])
        self.assertEqual(self.texts(".history-changes ins"), ['"in-line"', "2"])

    def test_the_bar_with_the_chosen_pair_stays_visible(self) -> None:
        self.open(f"{self.timeline}?a=2&b=6#version-{self.row.pk}.2")
        self.browser.execute_script("window.scrollTo(0, document.body.scrollHeight)")
        compare = self.find(".history-bar a.button")
        self.assertTrue(
            0 <= self.browser.execute_script("return arguments[0].getBoundingClientRect().top", compare) < 200
        )

    def test_a_version_is_shown_in_full(self) -> None:
        self.open(self.timeline)
        self.find("li[id$='.4'] summary").click()
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

    def restore(self, reason: str, button: str) -> None:
        self.find("#id_reason").send_keys(reason)
        with self.leaving():
            self.find(f".submit-row [value={button}]").click()

    def test_a_version_is_restored_with_or_without_its_grade(self) -> None:
        for button, kept, expected, restored in (
            ("keep", "The grade was kept: 0 / 2.", 0, 7),
            ("restore", "Its grade was restored: 2 / 2.", 2, 8),
        ):
            self.open(page("version", self.row.pk, 4))
            self.follow("Restore version 4")
            self.assertEqual("in-line" in self.find("section").text, button == "keep")
            self.restore("the regrade was wrong", button)
            message = f"Version 4 was restored as version {restored}. {kept} Undo: restore version {restored - 1}…"
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

    def test_a_restore_is_undone_from_its_message(self) -> None:
        self.open(page("restore", self.row.pk, 4))
        self.restore("the regrade was wrong", "restore")
        self.follow("Undo: restore version 6")
        self.assertEqual(self.texts(".submit-row button")[0], "Restore version 6 and its grade: 0 / 2")
        self.find("#id_reason").send_keys("it was right")
        with self.leaving():
            self.press(Keys.ENTER)
        self.row.refresh_from_db()
        self.assertEqual((self.row.version, self.row.grade, self.row.state), (8, 0, '{"attempts":2}'))

    def test_the_last_version_before_a_loss_is_one_link_away(self) -> None:
        self.open(self.timeline)
        self.follow("Restore version 4, the last before the loss")
        self.assertEqual(self.texts(".submit-row button")[0], "Restore version 4 and its grade: 2 / 2")

    def test_the_timeline_is_filtered(self) -> None:
        self.open(self.timeline)
        self.find("#filter-actor").send_keys("ROBIN")
        self.find("#filter-flag [value=grade-decreased]").click()
        with self.leaving():
            self.press(Keys.TAB)
            self.find(".history-filters button").click()
        self.assertEqual(len(self.texts("li.history-step")), 1)
        self.follow("Show all versions")
        self.assertEqual(len(self.texts("li.history-step")), 3)

    def test_a_version_is_not_restored_over_a_later_write_of_the_learner(self) -> None:
        self.open(page("restore", self.row.pk, 4))
        DjangoXBlockUserStateClient().set("amara", BLOCK, {"answer": "midsummer"})
        self.restore("the regrade was wrong", "restore")
        self.assertIn("Nothing was written", self.find(".errornote").text)
        self.assertEqual(self.texts("section .history-changes del"), ['"midsummer"'])
        self.assertEqual(self.texts("section .history-changes ins"), ['"in-line"'])
        self.assertEqual(StudentModule.objects.get().version, 7)
        # The form keeps the typed reason, and the confirmation applies to the new difference.
        with self.leaving():
            self.find(".submit-row button").click()
        self.assertIn("Version 4 was restored as version 8.", self.text)
