"""Staff sign in and find a learner's block among others."""

from selenium.webdriver.common.keys import Keys

from history.api import change_context, restore, timeline
from kvstore.api import DjangoXBlockUserStateClient
from kvstore.models import StudentModule
from kvstore.testing import UserFactory
from tests.admin.lists.case import HISTORY_LIST, STATE_LIST
from tests.browser.case import BLOCK, BrowserTestCase, page
from tests.kvstore.cache.blocks import COURSE, usage

OTHER_COURSE = "course-v1:Org+Elsewhere+Run"
ROWS = "#result_list tbody tr"


class Finding(BrowserTestCase):
    def setUp(self) -> None:
        super().setUp()
        UserFactory(username="mateo")
        client = DjangoXBlockUserStateClient()
        client.set("mateo", BLOCK, {"answer": "quarters"})
        client.set("amara", usage("two-tides"), {"answer": "bulges"})
        elsewhere = BLOCK.map_into_course(COURSE.from_string(OTHER_COURSE))
        client.set("mateo", elsewhere, {"answer": "in-line"})

    def search(self, text: str) -> None:
        box = self.find("#searchbar")
        box.clear()
        with self.leaving():
            box.send_keys(text, Keys.ENTER)

    def column(self, name: str) -> set[str]:
        return set(self.texts(f"{ROWS} .field-{name}"))

    def test_signing_in_opens_the_requested_list(self) -> None:
        self.sign_out()
        self.open(HISTORY_LIST)
        self.find("#id_username").send_keys("robin")
        with self.leaving():
            self.find("#id_password").send_keys("password", Keys.ENTER)
        self.assertEqual(len(self.texts(ROWS)), 9)

    def test_a_search_for_a_learner_and_a_block_opens_the_timeline(self) -> None:
        self.open(HISTORY_LIST)
        self.search(f"learner:amara block:{BLOCK}")
        self.assertEqual((self.column("learner"), self.column("block")), ({"amara"}, {"spring-tides"}))
        self.assertEqual(len(self.texts(ROWS)), 6)
        self.follow("Timeline")
        self.assertEqual(self.find("h1").text, "Timeline of spring-tides for amara")
        self.assertIn("amara", self.find(".history-owner").text)

    def test_the_address_of_a_courseware_page_finds_the_block_on_it(self) -> None:
        self.open(STATE_LIST)
        self.search(f"https://courses.example.org/courses/{COURSE}/jump_to/{BLOCK}")
        self.assertEqual((self.column("learner"), self.column("course")), ({"amara", "mateo"}, {str(COURSE)}))
        self.search("learner:nobody")
        self.assertIn("No learner has the name or e-mail address 'nobody'.", self.text)

    def test_filters_by_course_and_by_action(self) -> None:
        entry = next(entry for entry in timeline(self.learner, BLOCK) if entry.version == 4)
        restore(entry, expected_version=6, reason="appeal", actor=self.staff, grade=True)
        self.open(HISTORY_LIST)
        course = self.find("#filter-course")
        with self.leaving():
            course.send_keys(OTHER_COURSE, Keys.ENTER)
        self.assertEqual(self.column("course"), {OTHER_COURSE})
        course = self.find("#filter-course")
        course.clear()
        with self.leaving():
            course.send_keys(str(COURSE), Keys.ENTER)
        self.assertEqual(len(self.texts(ROWS)), 9)
        self.follow("restored")
        self.assertEqual(self.column("reason"), {"appeal"})
        self.assertEqual(self.column("course"), {str(COURSE)})

    def test_an_entry_links_to_its_version(self) -> None:
        two_tides = usage("two-tides")
        with change_context(reason="imported"):
            DjangoXBlockUserStateClient().set("mateo", two_tides, {"answer": "sun"})
        self.open(HISTORY_LIST)
        with self.leaving():
            self.find(f"{ROWS}:first-child th a").click()
        row = StudentModule.objects.get(student__username="mateo", module_state_key=two_tides)
        self.assertEqual(self.browser.current_url, self.live_server_url + page("version", row.pk, 1))
        self.assertIn("imported", self.text)
