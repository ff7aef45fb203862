"""Every page, list and form in the theme that ADMIN_THEME names. test_themes.py starts a process for each theme."""

from html import unescape
from unittest import mock, skipIf, skipUnless

from django.conf import settings
from django.contrib.auth.models import Permission
from django.urls import reverse
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from history.admin import StudentModuleHistoryAdmin
from kvstore.admin import StudentModuleAdmin
from tests.admin.lists.case import HISTORY_LIST, PENDING_LIST, STATE_LIST
from tests.browser.axe import all_faults
from tests.browser.case import page
from tests.browser.chromium import prefer
from tests.history.outages import history_outage
from tests.kvstore.cache.blocks import COURSE
from tests.themes.case import COLOURED_PAGES, LINK_COLOURS, LISTS, MAIN_PAGES, Page, ThemeTestCase

OURS = (
    ".xblock-page, .list-filter, .list-pages, .list-problems, .list-notice, .list-choices, .list-examples, #result_list"
)
"""the elements of this project's templates; the frame around them is the theme's"""
ROWS = "#result_list .field-when_and_timeline"
SUBMIT = "arguments[0].form.requestSubmit()"
SELECT = """
const [name, value] = arguments;
const selector = document.querySelector(`[data-name="${name}"], [data-field-name="${name}"]`);
const options = [...selector.options].map(option => option.value);
selector.value = options.find(one => one === value || one.includes(`${name}=${value}`));
(window.jQuery || grp.jQuery)(selector).trigger("change");
if (selector.value === value) selector.form.requestSubmit();
"""


def is_of_theme(fault: str) -> bool:
    """Return whether a fault is the contrast of the theme's links."""
    return settings.THEME in LINK_COLOURS and f"foreground color: {LINK_COLOURS[settings.THEME]}" in fault


class Pages(ThemeTestCase):
    maxDiff = None

    def assert_shown(self, pages: dict[str, Page]) -> None:
        for name, expected in pages.items():
            with self.subTest(page=name):
                response = self.client.get(expected.path)
                self.assertEqual(response.status_code, expected.status)
                text = unescape(response.content.decode())
                for part in expected.texts:
                    self.assertIn(part, text)

    def assert_accessible(self, pages: dict[str, Page], scheme: str) -> None:
        prefer(self.browser, scheme)
        for name, opened in pages.items():
            with self.subTest(page=name, scheme=scheme):
                self.open(opened.path)
                found = all_faults(self.browser, OURS)
                self.assertEqual({key: text for key, text in found.items() if not is_of_theme(text)}, {})

    def test_every_page_is_shown(self) -> None:
        self.assert_shown(LISTS | self.block_pages() | self.other_pages() | self.own_pages_of_the_theme())

    @skipIf(settings.THEME == "django", "tests/browser/test_appearance.py tests Django's own theme.")
    def test_pages_have_no_grave_fault(self) -> None:
        pages = LISTS | self.block_pages() | self.other_pages()
        for scheme, names in {"light": MAIN_PAGES, "dark": COLOURED_PAGES}.items():
            self.assert_accessible({name: pages[name] for name in names}, scheme)

    @skipUnless(settings.THEME in LINK_COLOURS, "The links of the theme have enough contrast.")
    def test_the_ignored_faults_occur_on_pages_of_the_theme(self) -> None:
        self.open(reverse("admin:index"))
        self.assertTrue(any(map(is_of_theme, all_faults(self.browser).values())))

    def test_an_outage_and_a_refusal_are_explained(self) -> None:
        with history_outage():
            outage = {
                "unavailable list": Page(HISTORY_LIST, ("The history database does not answer",), 503),
                "unavailable timeline": Page(page("timeline", self.row.pk), ("does not answer",), 503),
                "row": Page(self.other_pages()["state of a row"].path, ("The history cannot be read now.",)),
                "pending": LISTS["pending"],
            }
            self.assert_shown(outage)
            self.assert_accessible({"unavailable": outage["unavailable list"]}, "light")
        self.staff.is_superuser = False
        self.staff.save()
        self.staff.user_permissions.add(Permission.objects.get(codename="view_pendinghistory"))
        refusals = {
            "state": Page(STATE_LIST, ("No permission", "xblock_kvstore.view_studentmodule"), 403),
            "restore": Page(page("restore", self.row.pk, 4), ("xblock_history.restore_studentmodule",), 403),
        }
        self.assert_shown(refusals)

    def test_lists_lead_to_the_next_page_and_back(self) -> None:
        for path, admin in (
            (HISTORY_LIST, StudentModuleHistoryAdmin),
            (STATE_LIST, StudentModuleAdmin),
        ):
            with self.subTest(list=path), mock.patch.object(admin, "list_per_page", 2):
                self.open(path)
                first = self.texts("#result_list .field-learner_and_block")
                with self.leaving():
                    self.find(".list-pages [rel=next]").click()
                self.assertNotIn(first[0], self.texts("#result_list .field-learner_and_block"))
                with self.leaving():
                    self.find(".list-pages [rel=prev]").click()
                self.assertEqual(self.texts("#result_list .field-learner_and_block"), first)

    def test_a_search_keeps_the_filters_and_a_filter_keeps_the_search(self) -> None:
        self.open(HISTORY_LIST)
        self.submit("[name=course]", str(COURSE))
        self.assertEqual(len(self.texts(ROWS)), 10)
        self.submit("[name=q]", "block:spring-tides")
        self.assertEqual(len(self.texts(ROWS)), 6)
        self.assertEqual(self.find("#filter-course").get_attribute("value"), str(COURSE))
        self.choose("grade", "full")
        self.assertEqual(len(self.texts(ROWS)), 2)
        for part in ("grade=full", "q=block", "course=course-v1"):
            self.assertIn(part, self.browser.current_url)

    def submit(self, selector: str, text: str) -> None:
        """Type into a field, which a theme may hide until a click, and submit its form."""
        field = next(
            one for one in self.browser.find_elements(By.CSS_SELECTOR, selector) if one.get_attribute("type") == "text"
        )
        self.browser.execute_script("arguments[0].value = arguments[1]", field, text)
        with self.leaving():
            self.browser.execute_script(SUBMIT, field)

    def choose(self, name: str, value: str) -> None:
        """Choose in a filter: a link, or an option of a list."""
        links = self.browser.find_elements(By.CSS_SELECTOR, f"a[href*='{name}={value}']")
        with self.leaving():
            if links:
                self.browser.execute_script("arguments[0].click()", links[0])
            else:
                self.browser.execute_script(SELECT, name, value)

    def test_a_version_is_restored(self) -> None:
        self.open(page("restore", self.row.pk, 4))
        self.find("#id_reason").send_keys("the regrade was wrong")
        with self.leaving():
            self.find("button[value=restore]").click()
        self.assertIn("Version 4 was restored as version 7.", self.find("body").text)
        self.row.refresh_from_db()
        self.assertEqual((self.row.version, self.row.grade), (7, 2))

    def test_an_incident_is_repaired(self) -> None:
        self.open(f"{reverse('admin:xblock_history_incident')}?request_id=job-17")
        with self.leaving():
            self.find("#id_reason").send_keys("the job was wrong", Keys.ENTER)
        self.assertIn("Rows repaired: 1, skipped: 0.", self.find("body").text)

    def test_pending_entries_lead_to_their_timeline(self) -> None:
        self.open(PENDING_LIST)
        self.follow("Timeline")
        self.assertIn("nightly regrade", self.find("body").text)
