"""One version in full, two versions side by side, and the history on the row's own page.

Everything rolls back on both aliases.
"""

import hashlib
import json
from datetime import UTC, datetime
from unittest import mock

from django.urls import reverse

from history.comparison.alignment import StepLimit
from history.comparison.side_by_side import MAX_LINES, MAX_STEPS, compare_lines, side_by_side
from history.exceptions import HistoryUnavailable
from history.models import PendingHistory
from kvstore.admin.rendering import render_json
from kvstore.api import set_score
from kvstore.testing import StudentModuleFactory
from tests.admin.block.case import BLOCK, PagesTestCase, page, pending
from tests.kvstore.cache.blocks import usage


def indented(state):
    return render_json(state).text.split("\n")


class Version(PagesTestCase):
    def test_it_shows_the_state_its_size_and_its_digest(self):
        self.set(answer="a")
        row = self.set(answer="b")
        text = '{"answer":"b"}'
        response = self.get(page("version", row.pk, 2))
        self.assertContains(response, hashlib.sha256(text.encode()).hexdigest())
        self.assertContains(response, f"{len(text)} bytes")
        self.assertContains(response, row.modified.astimezone(UTC).isoformat(timespec="microseconds"))
        self.assertContains(response, page("version", row.pk, 1))

    def test_the_download_is_the_stored_text(self):
        row = self.set(answer="<script>alert(1)</script>\0\ud800")
        response = self.get(page("state", row.pk, 1))
        self.assertEqual(response.content.decode(), row.state)
        self.assertEqual(response["Content-Type"], "application/octet-stream")
        self.assertIn("attachment", response["Content-Disposition"])
        self.assertEqual(response["X-Content-Type-Options"], "nosniff")

    def test_a_state_of_a_megabyte_is_cut_and_can_be_downloaded(self):
        row = self.set(long="x" * 1_000_000)
        response = self.get(page("version", row.pk, 1))
        self.assertContains(response, "Truncated; download the complete state.")
        self.assertLess(len(response.content), 200_000)
        self.assertEqual(json.loads(self.get(page("state", row.pk, 1)).content)["long"], "x" * 1_000_000)

    def test_a_state_that_is_larger_than_a_page_loads(self):
        row = self.set(long="x" * 1000)
        with mock.patch("history.admin.block.version.LOADED_BYTES", 100):
            response = self.get(page("version", row.pk, 1))
        self.assertContains(response, "Too large to show")
        self.assertNotContains(response, "SHA-256")

    def test_a_pending_version(self):
        with pending():
            row = self.set(answer=1)
        self.assertEqual(PendingHistory.objects.count(), 1)
        self.assertContains(self.get(page("version", row.pk, 1)), "<dt>Delivery</dt><dd>pending</dd>")

    def test_a_version_without_a_state(self):
        set_score(self.learner.pk, BLOCK, 1, 2)
        row = self.row()
        self.assertContains(self.get(page("version", row.pk, 1)), "The learner had no state yet.")
        self.get(page("state", row.pk, 1), status=404)

    def test_a_title_names_the_page_the_block_and_the_learner(self):
        self.set(answer=1)
        row = self.set(answer=2)
        for name, args, query, title in (
            ("timeline", [], {}, "Timeline"),
            ("version", [1], {}, "Version 1"),
            ("restore", [1], {}, "Restore of version 1"),
            ("compare", [], {"a": 1, "b": 2}, "Versions 1 and 2"),
        ):
            response = self.get(page(name, row.pk, *args, **query))
            self.assertContains(response, f"<h1>{title} of block for amara</h1>", html=True)
            self.assertContains(response, f"<title>{title} of block for amara |")

    def test_versions_that_never_existed(self):
        row = self.set(answer=1)
        for version in (0, 2, 10**12, 10**25):
            self.get(page("version", row.pk, version), status=404)


class Comparison(PagesTestCase):
    def test_the_older_version_is_on_the_left_in_either_order(self):
        for number in (1, True, 1.0):
            row = self.set(answer=number, same="s")
        for a, b in ((1, 3), (3, 1), (f"{row.pk}.1", f"{row.pk}.3")):
            response = self.get(page("compare", row.pk, a=a, b=b))
            (change,) = response.context["difference"].changes
            self.assertEqual((change.old_text, change.new_text), ("1", "1.0"))
            self.assertEqual(response.context["newer"].flags, ())
        self.assertContains(response, "&quot;same&quot;: &quot;s&quot;")

    def test_side_by_side_aligns_the_lines_of_a_field(self):
        older = '{"answer":"in-line","attempts":2,"earned":2,"kept":[1,2]}'
        newer = '{"attempts":3,"kept":[1,2]}'
        self.assertEqual(
            [
                line
                for line in compare_lines(indented(older), indented(newer), StepLimit(MAX_STEPS))
                if line.kind != "same"
            ],
            [
                ("removed", '  "answer": "in-line",', ""),
                ("changed", '  "attempts": 2,', '  "attempts": 3,'),
                ("removed", '  "earned": 2,', ""),
            ],
        )
        # A lost trailing comma is not a change of the line.
        lines = side_by_side(indented('{"a":1,"b":2}'), indented('{"a":1}')).lines
        self.assertEqual([line.kind for line in lines], ["same", "same", "removed", "same"])

    def test_side_by_side_stops_where_a_page_ends(self):
        lines = side_by_side(["[]"], indented(json.dumps(list(range(5000))))).lines
        self.assertLessEqual(len(lines), MAX_LINES + 1)

    def test_versions_that_cannot_be_compared_redirect_to_the_timeline(self):
        row = self.set(answer=1)
        for query in ({}, {"a": 1}, {"a": 1, "b": 1}, {"a": "x", "b": 1}):
            self.assertRedirects(self.client.get(page("compare", row.pk, **query)), page("timeline", row.pk))

    def test_versions_of_a_row_that_was_deleted_and_of_the_next(self):
        old_id = self.set(answer=1).pk
        self.row().delete()
        row = self.set(answer=2)
        response = self.get(page("compare", row.pk, a=f"{old_id}.1", b=1))
        self.assertEqual(response.context["older"].entry.student_module_id, old_id)
        (change,) = response.context["difference"].changes
        self.assertEqual((change.old, change.new), (1, 2))


class RowPage(PagesTestCase):
    def open(self, row):
        return self.get(reverse("admin:xblock_kvstore_studentmodule_change", args=[row.pk]))

    def test_the_page_shows_completeness_and_links_to_the_timeline(self):
        self.set(answer=1)
        row = self.set(answer=2)
        response = self.open(row)
        self.assertContains(response, "History: 2 versions, none missing.")
        self.assertContains(response, page("timeline", row.pk))
        self.assertContains(response, page("version", row.pk, 2))

    def test_a_row_with_a_type_that_is_not_recorded(self):
        row = StudentModuleFactory(module_state_key=usage("text", "html"), module_type="html", state='{"a":1}')
        response = self.open(row)
        self.assertContains(response, "The history contains no version.")
        self.assertContains(response, "are not recorded")

    def test_dates_are_shown_in_full(self):
        row = self.set(answer=1)
        moment = datetime.fromisoformat(self.open(row).context["steps"][0].entry.created.isoformat())
        self.assertEqual(moment, row.modified)

    def test_the_address_of_a_deleted_row_leads_to_the_present_row_or_to_the_timeline(self):
        old = self.set(answer=1)
        old_id = old.pk
        old.delete()
        old.pk = old_id
        url = reverse("admin:xblock_kvstore_studentmodule_change", args=[old_id])
        self.assertRedirects(self.client.get(url), page("timeline", old_id))
        row = self.set(answer=2)
        response = self.client.get(url, follow=True)
        change = reverse("admin:xblock_kvstore_studentmodule_change", args=[row.pk])
        self.assertEqual(response.redirect_chain, [(change, 302)])
        self.assertContains(response, f"Row {old_id} was deleted.")
        with mock.patch("history.admin.state.find_owner", side_effect=HistoryUnavailable):
            self.assertRedirects(self.client.get(url), reverse("admin:index"))

    def test_an_id_that_never_existed_leads_to_the_index(self):
        for object_id in (10**9, 10**25, "x"):
            url = reverse("admin:xblock_kvstore_studentmodule_change", args=[object_id])
            self.assertRedirects(self.client.get(url), reverse("admin:index"))
