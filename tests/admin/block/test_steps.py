"""Steps of the timeline: the versions of one request, their difference, flags and links, and the chosen pair.

Everything rolls back on both aliases.
"""

import re
from unittest import mock

from django.db import connections
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from history.admin.block import steps
from history.api import change_context
from kvstore.api import DjangoXBlockUserStateClient, set_score
from tests.admin.block.case import BLOCK, HISTORY, PagesTestCase, page


def shown(response):
    return [[version.entry.version for version in step.versions] for step in response.context["steps"]]


class Steps(PagesTestCase):
    def requests(self, *requests):
        """Write versions, each with the request id of its position in ``requests``."""
        for number, request_id in enumerate(requests):
            with change_context(actor=self.staff, request_id=request_id):
                row = self.set(answer=number)
        return row

    def timeline(self, row, **query):
        return self.get(page("timeline", row.pk, **query))

    def test_consecutive_versions_of_a_request_are_one_step_with_one_difference(self):
        row = self.requests("", "a", "a", "a", "", "", "a")
        response = self.timeline(row)
        self.assertEqual(shown(response), [[7], [6], [5], [4, 3, 2], [1]])
        step = response.context["steps"][3]
        (change,) = step.changes
        self.assertEqual((step.label, change.old, change.new), ("Versions 2–4", 0, 3))  # noqa: RUF001
        self.assertContains(response, "3 versions of one request")
        for version in (2, 3, 4):
            self.assertContains(response, f'href="{page("version", row.pk, version)}"')
            self.assertContains(response, f'href="{page("restore", row.pk, version)}"')
        self.assertContains(response, f"{page('compare', row.pk)}?a={row.pk}.1&amp;b={row.pk}.4")

    def test_a_step_of_the_first_versions_has_no_version_before_it(self):
        row = self.requests("a", "a")
        (step,) = self.timeline(row).context["steps"]
        self.assertEqual((step.label, step.older_url, step.more_changes), ("Versions 1–2", "", 0))  # noqa: RUF001
        self.assertEqual(dict(step.fields), {"answer": "added"})

    def test_a_step_of_two_rows_is_two_steps(self):
        with change_context(request_id="a"):
            gone = self.set(answer=1)
            gone_id = gone.pk
            gone.delete()
            row = self.set(answer=2)
        response = self.timeline(row)
        self.assertEqual(shown(response), [[1], [2, 1]])
        self.assertEqual([life.row_id for life in response.context["lives"]], [row.pk, gone_id])

    def test_actors_and_reasons_of_a_step(self):
        for actor, reason in ((self.staff, "one"), (self.learner, "two"), (self.staff, "one")):
            with change_context(actor=actor, reason=reason, request_id="a"):
                row = self.set(answer=reason)
        (step,) = self.timeline(row).context["steps"]
        self.assertEqual((step.actor, step.reason), ("staff, amara", "one · two"))

    def test_flags_concern_the_ends_of_a_step_and_missing_versions_inside_it(self):
        row = self.requests("", "a", "a", "a")
        with connections[HISTORY].cursor() as cursor:
            cursor.execute("DELETE FROM xblock_history_studentmodulehistory WHERE version = 3")
        newest, _oldest = self.timeline(row).context["steps"]
        self.assertIn("gap", {str(flag) for flag in newest.flags})
        with change_context(request_id="b"):
            set_score(self.learner.pk, BLOCK, 2, 2)
            set_score(self.learner.pk, BLOCK, 1, 2)
            set_score(self.learner.pk, BLOCK, 2, 2)
        newest = self.timeline(row).context["steps"][0]
        self.assertNotIn("grade-decreased", newest.flags)
        self.assertNotIn("gap", newest.flags)

    def test_pages_do_not_split_a_step(self):
        row = self.requests(*("abc"[number // 9 % 3] for number in range(60)))
        with mock.patch("history.admin.block.timeline.PAGE_STEPS", 2):
            pages, url = [], page("timeline", row.pk)
            while url:
                response = self.get(url)
                pages.append(shown(response))
                url = page("timeline", row.pk) + response.context["older_url"] if response.context["older_url"] else ""
        self.assertEqual([len(one) for one in pages], [2, 2, 2, 1])
        found = [versions for one in pages for versions in one]
        self.assertEqual([versions[0] for versions in found], [60, 54, 45, 36, 27, 18, 9])
        self.assertEqual([version for versions in found for version in versions], list(range(60, 0, -1)))

    def test_a_request_with_too_many_versions_continues_in_the_next_step(self):
        row = self.requests(*["a"] * 5)
        with mock.patch.object(steps, "MAX_STEP_VERSIONS", 3):
            response = self.timeline(row)
        self.assertEqual(shown(response), [[5, 4, 3], [2, 1]])
        self.assertContains(response, "The request made more versions.", count=1)

    def test_a_page_reads_a_bounded_number_of_versions_and_characters(self):
        row = self.requests(*[""] * 9)
        for limit in ({"SCANNED_VERSIONS": 4}, {"SCANNED_CHARACTERS": 4 * len('{"answer":8}')}):
            with mock.patch.multiple(steps, **limit):
                response = self.timeline(row)
                self.assertEqual(shown(response), [[9], [8], [7], [6]])
                older = self.get(page("timeline", row.pk) + response.context["older_url"])
                self.assertEqual(shown(older), [[5], [4], [3], [2]])

    def test_its_statements_are_bounded_for_requests_of_several_versions(self):
        row = self.requests(*(str(number // 2) for number in range(60)))
        with CaptureQueriesContext(connections[HISTORY]) as captured:
            self.assertEqual(len(shown(self.timeline(row))), 25)
        # 51 versions in pages of 26, and the outline.
        self.assertEqual(len(captured), 3)

    def test_large_states_make_a_short_page(self):
        for number in range(30):
            row = self.set(**{f"{'field' * 10}{name}": f"{number}{'x' * 5000}" for name in range(30)})
        response = self.timeline(row)
        self.assertEqual({len(step.changes) for step in response.context["steps"]}, {5})
        self.assertContains(response, "and 25 more changes")
        self.assertLess(len(response.content), 350_000)


class Loss(PagesTestCase):
    def restore_link(self, row):
        link = self.steps(row)[0].before_loss
        self.assertContains(self.get(page("timeline", row.pk)), "the last before the loss…")
        return link.entry.version, link.restore_url

    def test_of_a_field_offers_the_version_before_it(self):
        self.set(answer="a", hint=1)
        DjangoXBlockUserStateClient(self.learner).delete("amara", BLOCK, fields=["answer"])
        row = self.row()
        self.assertEqual(self.restore_link(row), (1, page("restore", row.pk, 1)))

    def test_of_the_state_or_the_grade_offers_the_version_before_it(self):
        self.set(answer="a")
        set_score(self.learner.pk, BLOCK, 2, 2)
        DjangoXBlockUserStateClient(self.learner).delete("amara", BLOCK)
        row = self.row()
        self.assertEqual(self.restore_link(row), (2, page("restore", row.pk, 2)))
        set_score(self.learner.pk, BLOCK, 1, 2)
        self.assertEqual(self.restore_link(row), (3, f"{page('restore', row.pk, 3)}?grade=restore"))

    def test_of_several_versions_of_a_request_offers_the_version_before_the_request(self):
        self.set(answer="a", hint=1)
        with change_context(request_id="a"):
            self.set(hint=2)
            DjangoXBlockUserStateClient(self.learner).delete("amara", BLOCK, fields=["answer"])
        row = self.row()
        self.assertEqual(self.restore_link(row), (1, page("restore", row.pk, 1)))

    def test_of_the_row_offers_the_version_before_the_deletion(self):
        self.set(answer="a")
        with change_context(request_id="a"):
            row = self.set(answer="b")
            row_id = row.pk
            row.delete()
        row.pk = row_id
        self.assertEqual(self.restore_link(row), (2, f"{page('restore', row_id, 2)}?grade=restore"))

    def test_of_nothing_offers_nothing(self):
        self.set(answer="a")
        row = self.set(answer="b")
        self.assertIsNone(self.steps(row)[0].before_loss)

    def test_the_links_are_on_the_version_and_the_row_page_too(self):
        self.set(answer="a", hint=1)
        DjangoXBlockUserStateClient(self.learner).delete("amara", BLOCK, fields=["answer"])
        row = self.row()
        for url in (page("version", row.pk, 2), reverse("admin:xblock_kvstore_studentmodule_change", args=[row.pk])):
            response = self.get(url)
            self.assertContains(response, "Restore version 1, the last before the loss…")
            self.assertNotContains(response, page("restore", row.pk, 2))

    def test_the_older_version_of_a_comparison_can_be_restored(self):
        self.set(answer="a", hint=1)
        row = self.set(answer="b")
        response = self.get(page("compare", row.pk, a=1, b=2))
        self.assertContains(response, page("restore", row.pk, 1), count=1)
        self.assertNotContains(response, page("restore", row.pk, 2))


class ChosenPair(PagesTestCase):
    def links(self, response, text):
        content = response.content.decode().replace("&amp;", "&")
        return re.findall(rf'<a [^>]*href="([^"]+)"[^>]*>\s*{text}', content)

    def test_the_pair_survives_paging_and_filters_and_leads_to_the_comparison(self):
        for number in range(6):
            row = self.set(answer=number)
        timeline = page("timeline", row.pk)
        with mock.patch("history.admin.block.timeline.PAGE_STEPS", 2):
            response = self.get(timeline)
            self.assertContains(response, "Choose an older and a newer version.")
            chosen = self.links(response, "Choose as newer")[1]
            self.assertTrue(chosen.endswith(f"#version-{row.pk}.5"))
            response = self.get(timeline + chosen.partition("#")[0])
            self.assertContains(response, "Chosen as newer", count=1)
            for _page in range(2):
                response = self.get(timeline + response.context["older_url"])
                self.assertNotContains(response, "Chosen as newer")
            response = self.get(timeline + self.links(response, "Choose as older")[1].partition("#")[0])
            self.assertEqual([step.entry.version for step in response.context["steps"]], [2, 1])
            response = self.get(timeline + response.context["address"].newer_url)
            self.assertEqual([step.entry.version for step in response.context["steps"]], [4, 3])
            self.assertContains(response, f'<input type="hidden" name="a" value="{row.pk}.1">', html=True)
            (compare,) = self.links(response, "Compare the chosen versions")
            self.assertEqual(compare, f"{page('compare', row.pk)}?a={row.pk}.1&b={row.pk}.5")
            self.assertContains(self.get(compare), "Versions 1 and 5")
            (clear,) = self.links(response, "Clear the choice")
            response = self.get(timeline + clear)
            self.assertEqual([step.entry.version for step in response.context["steps"]], [4, 3])
            self.assertEqual(response.context["pair"]["url"], "")

    def test_one_version_twice_is_no_pair(self):
        row = self.set(answer=1)
        response = self.get(page("timeline", row.pk, a=1, b=1))
        self.assertContains(response, "Choose an older and a newer version.")

    def test_a_garbled_pair_or_list_of_pages_is_ignored(self):
        row = self.set(answer=1)
        for text in ("x", "1.2.3", "9" * 40, "%00", "<script>"):
            response = self.get(page("timeline", row.pk, a=text, b=text, back=text))
            self.assertEqual((response.context["address"].pair, response.context["address"].back), ({}, []))

    def test_the_list_of_previous_pages_is_bounded(self):
        row = self.set(answer=1)
        response = self.get(page("timeline", row.pk) + f"?older={row.pk}.2" + f"&back={row.pk}.9" * 500)
        self.assertLess(len(response.context["address"].older_url(f"{row.pk}.1")), 1000)

    def test_every_step_can_be_compared_with_the_version_before_it(self):
        for number in range(3):
            row = self.set(answer=number)
        response = self.get(page("timeline", row.pk))
        self.assertEqual(
            self.links(response, "Compare version"),
            [f"{page('compare', row.pk)}?a={row.pk}.{number}&b={row.pk}.{number + 1}" for number in (2, 1)],
        )
