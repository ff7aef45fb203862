"""Every page in light and dark, on a narrow screen, without the history database, and with hostile text on it."""

from unittest import mock
from urllib.parse import quote, urlencode

from django.contrib.admin import site
from django.contrib.auth.models import Group
from django.test import override_settings
from django.urls import reverse
from django.utils import translation
from selenium.webdriver.common.by import By
from selenium.webdriver.support import expected_conditions

from history.api import change_context
from kvstore.api import DjangoXBlockUserStateClient
from kvstore.models import StudentModule
from kvstore.testing import UserFactory
from tests.admin.lists.case import HISTORY_LIST, STATE_LIST
from tests.browser.axe import OF_DJANGO, all_faults, faults
from tests.browser.case import BrowserTestCase, page
from tests.browser.chromium import prefer, resize
from tests.history.outages import history_outage
from tests.kvstore.cache.blocks import COURSE, usage

# Elements wider than the page, except elements that scroll.
TOO_WIDE = """
return [document.documentElement, ...document.querySelectorAll("#container, #main, #content")]
    .filter(element => element.scrollWidth > element.clientWidth || element.clientWidth > innerWidth)
    .map(element => `${element.tagName}#${element.id} ${element.scrollWidth} > ${element.clientWidth}`);
"""
OPEN = "for (const details of document.querySelectorAll('#content details')) details.open = true"
INCIDENT = reverse("admin:xblock_history_incident")
BACKGROUND = "return getComputedStyle(document.body).backgroundColor"
RAN = "return window.ran"
HOSTILE = (
    "<script>window.ran = 1; alert(1)</script>",
    "<img src=x onerror='window.ran = 1; alert(2)'>",
    "\"'><svg onload='window.ran = 1; alert(3)'>",
    "</textarea></pre></style><script>window.ran = 1</script>",
    "{{ 7|add:7 }} javascript:alert(4)",
)


class Appearance(BrowserTestCase):
    def pages(self) -> dict[str, str]:
        row = self.row.pk
        return {
            "timeline": page("timeline", row),
            "timeline with a filter and a pair": f"{page('timeline', row)}?a=2&b=4&since=x&grade=same",
            "version": page("version", row, 4),
            "comparison": f"{page('compare', row)}?a=4&b=6",
            "restore": page("restore", row, 4),
            "learner": f"{page('learner', self.learner.pk)}?course={quote(str(COURSE))}",
            "learner's courses": page("learner", self.learner.pk),
            "row": reverse("admin:xblock_kvstore_studentmodule_change", args=[row]),
            "incident": f"{INCIDENT}?request_id=job-17",
            "refused incident": f"{INCIDENT}?course={COURSE}",
        }

    def lists(self) -> dict[str, str]:
        return {
            "history": HISTORY_LIST,
            "filtered history": f"{HISTORY_LIST}?q=learner:amara&course={COURSE}&action=changed&last=day",
            "nothing found": f"{HISTORY_LIST}?q=learner:nobody",
            "a choice of learners": f"{HISTORY_LIST}?q=r",
            "state": STATE_LIST,
        }

    def assert_accessible(self, pages: dict[str, str]) -> None:
        for name, path in pages.items():
            self.open(path)
            self.browser.execute_script(OPEN)
            for scheme in ("light", "dark"):
                prefer(self.browser, scheme)
                with self.subTest(page=name, scheme=scheme):
                    self.assertEqual(faults(self.browser), {})

    def test_lists_have_no_grave_fault(self) -> None:
        self.assert_accessible(self.lists())

    def test_pages_of_a_block_have_no_grave_fault(self) -> None:
        self.assert_accessible(self.pages())

    def test_the_ignored_faults_occur_on_djangos_own_pages(self) -> None:
        group = Group.objects.create(name="A group with a name that is longer than the links before it, by far")
        found = []
        with mock.patch.object(site._registry[Group], "search_help_text", "by name"):
            for path in (
                reverse("admin:auth_group_changelist"),
                reverse("admin:auth_group_change", args=[group.pk]),
            ):
                self.open(path)
                found += all_faults(self.browser)
        for rule, begin in OF_DJANGO:
            self.assertTrue([name for known, name in found if known == rule and name.startswith(begin)], rule)

    def test_pages_follow_the_preferred_scheme(self) -> None:
        self.open(page("timeline", self.row.pk))
        light = self.browser.execute_script(BACKGROUND)
        prefer(self.browser, "dark")
        self.assertNotEqual(self.browser.execute_script(BACKGROUND), light)

    def test_pages_fit_a_narrow_screen(self) -> None:
        resize(self.browser, 360, 740)
        for name, path in self.pages().items() | self.lists().items():
            self.open(path)
            self.browser.execute_script(OPEN)
            with self.subTest(page=name):
                self.assertEqual(self.browser.execute_script("return innerWidth"), 360)
                self.assertEqual(self.browser.execute_script(TOO_WIDE), [])

    def test_pages_from_right_to_left_fit_and_have_no_grave_fault(self) -> None:
        for width in (1280, 390):
            resize(self.browser, width, 900)
            for name, path in self.pages().items() | self.lists().items():
                with translation.override("ar"), override_settings(LANGUAGE_CODE="ar"):
                    self.open(path)
                    self.browser.execute_script(OPEN)
                    with self.subTest(page=name, width=width):
                        self.assertEqual(self.browser.execute_script("return document.dir"), "rtl")
                        self.assertEqual(self.browser.execute_script(TOO_WIDE), [])
                        self.assertEqual(faults(self.browser), {})

    def test_without_the_history_database_pages_report_it(self) -> None:
        with history_outage():
            for name, path in {"history": HISTORY_LIST, "timeline": page("timeline", self.row.pk)}.items():
                with self.subTest(page=name):
                    self.open(path)
                    self.assertIn("The history database does not answer", self.find(".errornote").text)
            self.assert_accessible({"unavailable": HISTORY_LIST})
            self.follow("Try this page again")
            with self.leaving():
                self.find(f"#content-main [href='{STATE_LIST}']").click()
            self.assertIn("amara", self.text)
            self.open(self.pages()["row"])
            self.assertIn("The history cannot be read now.", self.text)
            self.assert_accessible({"row": self.pages()["row"]})
        with self.leaving():
            self.find(".historylink").click()
        self.assertIn("6 versions, none missing", self.text)


class Hostile(BrowserTestCase):
    def setUp(self) -> None:
        super().setUp()
        name = HOSTILE[1]
        self.hostile = UserFactory(username=name)
        client = DjangoXBlockUserStateClient()
        for text in (HOSTILE, HOSTILE[::-1]):
            with change_context(actor=self.hostile, reason=text[0], request_id=text[1]):
                client.set(name, usage("block"), {**dict.fromkeys(HOSTILE, text), "answer": text[0], text[2]: None})

    def test_nothing_of_it_runs(self) -> None:
        row = StudentModule.objects.get(student=self.hostile)
        pages = [
            HISTORY_LIST,
            STATE_LIST,
            f"{HISTORY_LIST}?q={HOSTILE[0]}&course={HOSTILE[1]}&type={HOSTILE[2]}",
            page("timeline", row.pk),
            page("version", row.pk, 2),
            f"{page('compare', row.pk)}?a=1&b=2",
            page("restore", row.pk, 1),
            reverse("admin:xblock_kvstore_studentmodule_change", args=[row.pk]),
            f"{INCIDENT}?{urlencode({'actor': f'id:{self.hostile.pk}', 'recorded_reason': HOSTILE[-1]})}",
        ]
        for path in pages:
            with self.subTest(page=path):
                self.open(path)
                self.assertFalse(expected_conditions.alert_is_present()(self.browser))
                self.assertIsNone(self.browser.execute_script(RAN))
                self.assertEqual(self.browser.find_elements(By.CSS_SELECTOR, "[onerror], #main [onload]"), [])
                self.assertIn("window.ran", self.text)
