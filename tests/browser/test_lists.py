"""The lists show every column beside both sidebars and on a narrow screen, without scrolling to the side."""

from django.urls import reverse
from selenium.webdriver.common.by import By

from history.api import change_context
from history.models import PendingHistory, StudentModuleHistory
from kvstore.api import DjangoXBlockUserStateClient, set_score
from kvstore.testing import UserFactory
from tests.admin.lists.case import HISTORY_LIST, PENDING_LIST, STATE_LIST
from tests.browser.axe import faults
from tests.browser.case import BLOCK, BrowserTestCase
from tests.browser.chromium import WIDE, prefer, resize
from tests.kvstore.cache.blocks import usage

NARROW = (390, 844)
TOO_WIDE = """
return [document.documentElement, ...document.querySelectorAll("#main, #content, #changelist, .results, #result_list")]
    .filter(element => element.scrollWidth > element.clientWidth || element.getBoundingClientRect().right > innerWidth)
    .map(element => `${element.tagName}#${element.id} ${element.scrollWidth} > ${element.clientWidth}`);
"""
# Elements that are hidden, empty, outside the window or covered by its edge.
OUTSIDE = """
return [...document.querySelectorAll(arguments[0])].filter(element => {
    const box = element.getBoundingClientRect();
    return !box.width || box.left < 0 || box.right > innerWidth;
}).map(element => element.outerHTML);
"""
LONG = "a-word-of-many-letters-" * 10
CELLS = ("learner", "block", "course", "timeline")
OF_HISTORY = (*CELLS, "labelled_version", "change", "scores", "actor", "reason", "request_id", "when")
OF_STATE = (*CELLS, "row_id", "labelled_score", "labelled_version", "labelled_time")


class Lists(BrowserTestCase):
    def setUp(self) -> None:
        super().setUp()
        name = LONG[:140]
        learner = UserFactory(username=name)
        client = DjangoXBlockUserStateClient()
        with change_context(actor=learner, reason=LONG, request_id=LONG[:64]):
            client.set(name, usage(LONG[:120]), {f"{LONG}{number}": number for number in range(20)})
            set_score(learner.pk, usage(LONG[:120]), 1.23456789012345, 9.87654321098765)
        row = StudentModuleHistory.objects.get(version=6, student_module_id=self.row.pk)
        PendingHistory.objects.create(**row.as_version()._asdict())

    def lists(self) -> dict[str, tuple[str, tuple[str, ...]]]:
        return {
            "history": (HISTORY_LIST, OF_HISTORY),
            "flagged": (f"{HISTORY_LIST}?flag=any", OF_HISTORY),
            "state": (STATE_LIST, OF_STATE),
            "pending": (PENDING_LIST, OF_HISTORY),
        }

    def assert_fits(self) -> None:
        for name, (path, columns) in self.lists().items():
            self.open(path)
            with self.subTest(page=name):
                self.assertEqual(self.browser.execute_script(TOO_WIDE), [])
                for column in columns:
                    selector = f"#result_list tbody .field-{column}"
                    self.assertTrue(self.browser.find_elements(By.CSS_SELECTOR, selector), selector)
                    self.assertEqual(self.browser.execute_script(OUTSIDE, selector), [])

    def test_every_column_is_visible_beside_the_sidebars(self) -> None:
        resize(self.browser, *WIDE)
        self.open(HISTORY_LIST)
        self.assertTrue(self.find("#nav-sidebar").is_displayed() and self.find("#changelist-filter").is_displayed())
        self.assert_fits()

    def test_every_column_is_visible_on_a_narrow_screen(self) -> None:
        resize(self.browser, *NARROW)
        self.assert_fits()

    def test_every_column_is_visible_from_right_to_left(self) -> None:
        with self.settings(LANGUAGE_CODE="ar"):
            for size in (WIDE, NARROW):
                resize(self.browser, *size)
                self.assert_fits()
            self.assertEqual(self.find("html").get_attribute("dir"), "rtl")

    def test_lists_have_no_grave_fault(self) -> None:
        for size in (WIDE, NARROW):
            resize(self.browser, *size)
            for scheme in ("light", "dark"):
                prefer(self.browser, scheme)
                for name, (path, _columns) in self.lists().items():
                    self.open(path)
                    with self.subTest(page=name, scheme=scheme, size=size):
                        self.assertEqual(faults(self.browser), {})

    def test_the_filter_by_flag_leads_to_the_lost_answer(self) -> None:
        self.open(HISTORY_LIST)
        self.follow("field removed")
        self.assertEqual(self.texts("#result_list tbody .field-block"), [BLOCK.block_id])
        self.assertEqual(self.texts("#result_list .history-flag-field-removed"), ["field removed"])
        self.follow("Timeline")
        self.assertEqual(self.browser.current_url, self.live_server_url + timeline_of(self.row.pk))


def timeline_of(row_id: int) -> str:
    return reverse("admin:xblock_history_timeline", args=[row_id])
