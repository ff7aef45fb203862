"""One version in full, two side by side, and what the row's own page says of its history.

Everything rolls back on both aliases.
"""

import hashlib
import json
from datetime import UTC, datetime
from unittest import mock

from django.urls import reverse

from history.admin.block.comparison import SHOWN_LINES, side_by_side
from history.models import PendingHistory
from kvstore.api import set_score
from kvstore.testing import StudentModuleFactory
from tests.admin.block.block import BLOCK, PagesTestCase, page, waiting
from tests.kvstore.cache.blocks import usage


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

    def test_the_download_is_what_is_stored(self):
        row = self.set(answer="<script>alert(1)</script>\0\ud800")
        response = self.get(page("state", row.pk, 1))
        self.assertEqual(response.content.decode(), row.state)
        self.assertEqual(response["Content-Type"], "application/octet-stream")
        self.assertIn("attachment", response["Content-Disposition"])
        self.assertEqual(response["X-Content-Type-Options"], "nosniff")

    def test_a_state_of_a_megabyte_is_cut_and_can_be_downloaded(self):
        row = self.set(long="x" * 1_000_000)
        response = self.get(page("version", row.pk, 1))
        self.assertContains(response, "The whole is in the download")
        self.assertLess(len(response.content), 200_000)
        self.assertEqual(json.loads(self.get(page("state", row.pk, 1)).content)["long"], "x" * 1_000_000)

    def test_a_state_that_is_larger_than_a_page_loads(self):
        row = self.set(long="x" * 1000)
        with mock.patch("history.admin.block.version.LOADED_BYTES", 100):
            response = self.get(page("version", row.pk, 1))
        self.assertContains(response, "Too large to show")
        self.assertNotContains(response, "SHA-256")

    def test_a_waiting_version(self):
        with waiting():
            row = self.set(answer=1)
        self.assertEqual(PendingHistory.objects.count(), 1)
        self.assertContains(self.get(page("version", row.pk, 1)), "waits for the history database")

    def test_a_version_without_a_state(self):
        set_score(self.learner.pk, BLOCK, 1, 2)
        row = self.row()
        self.assertContains(self.get(page("version", row.pk, 1)), "The learner had no state yet.")
        self.get(page("state", row.pk, 1), status=404)

    def test_what_never_was(self):
        row = self.set(answer=1)
        for version in (0, 2, 10**12, 10**25):
            self.get(page("version", row.pk, version), status=404)


class Comparison(PagesTestCase):
    def test_the_older_one_is_on_the_left_whichever_was_chosen_first(self):
        for number in (1, True, 1.0):
            row = self.set(answer=number, same="s")
        for a, b in ((1, 3), (3, 1), (f"{row.pk}.1", f"{row.pk}.3")):
            response = self.get(page("compare", row.pk, a=a, b=b))
            (change,) = response.context["difference"].changes
            self.assertEqual((change.old_text, change.new_text), ("1", "1.0"))
            self.assertEqual(response.context["newer"].marks, ())
        self.assertContains(response, "&quot;same&quot;: &quot;s&quot;")

    def test_side_by_side_a_field_stands_beside_itself(self):
        older = '{"answer":"in-line","attempts":2,"earned":2,"kept":[1,2]}'
        newer = '{"attempts":3,"kept":[1,2]}'
        self.assertEqual(
            [line for line in side_by_side(older, newer) if line.kind not in ("same", "skipped")],
            [
                ("removed", '  "answer": "in-line",', ""),
                ("changed", '  "attempts": 2,', '  "attempts": 3,'),
                ("removed", '  "earned": 2,', ""),
            ],
        )
        # That nothing follows any more is no change of what stands there.
        lines = list(side_by_side('{"a":1,"b":2}', '{"a":1}'))
        self.assertEqual([line.kind for line in lines], ["same", "same", "removed", "same"])

    def test_side_by_side_stops_where_a_page_ends(self):
        lines = list(side_by_side("[]", json.dumps(list(range(5000)))))
        self.assertLessEqual(len(lines), SHOWN_LINES + 1)

    def test_what_cannot_be_compared_leads_back(self):
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

    def test_it_says_whether_the_history_is_whole_and_leads_to_the_timeline(self):
        self.set(answer=1)
        row = self.set(answer=2)
        response = self.open(row)
        self.assertContains(response, "History: 2 versions, none missing.")
        self.assertContains(response, page("timeline", row.pk))
        self.assertContains(response, page("version", row.pk, 2))

    def test_a_row_whose_type_is_not_recorded(self):
        row = StudentModuleFactory(module_state_key=usage("text", "html"), module_type="html", state='{"a":1}')
        response = self.open(row)
        self.assertContains(response, "No version is in the history.")
        self.assertContains(response, "are not recorded")

    def test_dates_are_told_in_full(self):
        row = self.set(answer=1)
        moment = datetime.fromisoformat(self.open(row).context["steps"][0].entry.created.isoformat())
        self.assertEqual(moment, row.modified)
