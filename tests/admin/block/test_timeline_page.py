"""The timeline page of a block: its content for each version, and its number of queries.

Everything rolls back on both aliases.
"""

from datetime import timedelta

from django.db import connections
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from kvstore.api import DjangoXBlockUserStateClient, set_score
from tests.admin.block.case import BLOCK, HISTORY, PagesTestCase, page, pending
from tests.history.outages import rolled_back


class Timeline(PagesTestCase):
    def test_each_version_shows_actor_reason_and_changes(self):
        from history.api import change_context

        self.set(answer="a", attempts=1)
        with change_context(actor=self.staff, reason="regrade", request_id="r-17"):
            row = self.set(answer="b")
        response = self.get(page("timeline", row.pk))
        newest, oldest = response.context["steps"]
        self.assertEqual((newest.entry.version, newest.actor, newest.entry.reason), (2, "staff", "regrade"))
        self.assertEqual([change.path_text for change in newest.changes], ["answer"])
        self.assertEqual(dict(oldest.fields), {"answer": "added", "attempts": "added"})
        for text in ("regrade", "r-17", "&quot;a&quot;", "&quot;b&quot;", "amara", str(BLOCK)):
            self.assertContains(response, text)

    def test_suspicious_versions_are_flagged(self):
        row = self.set(answer="a", attempts=2)
        set_score(self.learner.pk, BLOCK, 2, 2)
        set_score(self.learner.pk, BLOCK, 1, 2)
        DjangoXBlockUserStateClient(self.learner).delete("amara", BLOCK, fields=["answer"])
        with pending():
            self.set(attempts=1)
        flags = {step.entry.version: {str(flag) for flag in step.flags} for step in self.steps(row)}
        self.assertIn("grade-decreased", flags[3])
        self.assertIn("field-removed", flags[4])
        self.assertLessEqual({"attempts-decreased", "pending"}, flags[5])
        self.assertContains(self.get(page("timeline", row.pk)), "1 version is pending delivery.")

    def test_scores_are_distinguished_to_the_last_digit(self):
        row = self.set(answer=1)
        set_score(self.learner.pk, BLOCK, 1234567.25, 2000000)
        set_score(self.learner.pk, BLOCK, 1234567.5, 2000000)
        response = self.get(page("timeline", row.pk))
        self.assertContains(response, "1234567.25 / 2000000")
        self.assertContains(response, "1234567.5 / 2000000")

    def test_missing_versions_are_named(self):
        for number in range(4):
            row = self.set(answer=number)
        with connections[HISTORY].cursor() as cursor:
            cursor.execute("DELETE FROM xblock_history_studentmodulehistory WHERE version IN (2, 3)")
        response = self.get(page("timeline", row.pk))
        self.assertContains(response, "2 versions have no entry")
        self.assertEqual(response.context["completeness"].missing, (3, 2))

    def test_recording_that_began_late(self):
        with override_settings(HISTORY_BLOCK_TYPES=()):
            self.set(answer=1)
        row = self.set(answer=2)
        response = self.get(page("timeline", row.pk))
        self.assertContains(response, "The previous version was not recorded.")
        self.assertContains(response, "none missing from version 2 on")
        with override_settings(HISTORY_BLOCK_TYPES=()):
            self.assertContains(self.get(page("timeline", row.pk)), "are not recorded")

    def test_versions_that_were_rolled_back_are_not_shown(self):
        row = self.set(answer=1)
        with rolled_back():
            self.set(answer="never")
        self.assertEqual([step.entry.version for step in self.steps(row)], [1])
        self.get(page("version", row.pk, 2), status=404)
        self.get(page("restore", row.pk, 2), status=404)
        self.get(page("compare", row.pk, a=1, b=2), status=404)
        self.get(page("state", row.pk, 2), status=404)

    def test_a_deleted_row_and_the_one_that_followed_it_are_two_sections(self):
        gone = self.set(answer=1).pk
        self.row().delete()
        again = self.set(answer=2).pk
        response = self.get(page("timeline", again))
        shown = [(step.entry.student_module_id, step.entry.version) for step in response.context["steps"]]
        self.assertEqual(shown, [(again, 1), (gone, 2), (gone, 1)])
        self.assertContains(response, f"Row {again} (current)</h2>")
        current, deleted = response.context["lives"]
        self.assertEqual((current.row_id, current.is_current, deleted.row_id), (again, True, gone))
        self.assertEqual(deleted.deleted, response.context["steps"][1].entry.created)
        self.assertContains(response, f"Row {gone}, deleted <time")
        self.assertContains(response, f"Compare version 1 with version 2 of row {gone}</a>")
        self.assertContains(response, "The row was deleted here")

    def test_the_address_of_a_deleted_row_leads_to_the_present_one(self):
        gone = self.set(answer=1).pk
        self.row().delete()
        again = self.set(answer=2).pk
        response = self.client.get(page("timeline", gone, flag="deleted"), follow=True)
        self.assertEqual(response.redirect_chain, [(page("timeline", again, flag="deleted"), 302)])
        self.assertContains(response, f"Row {gone} was deleted.")
        version = self.get(page("version", gone, 1))
        self.assertContains(version, f"row {gone} was deleted")
        self.assertContains(version, f"row {again}, version 1")
        self.assertContains(version, page("timeline", again))
        self.assertContains(version, page("restore", gone, 1))

    def test_a_deleted_row_alone(self):
        row = self.set(answer=1)
        row_id = row.pk
        row.delete()
        response = self.get(page("timeline", row_id))
        self.assertContains(response, f"row {row_id} was deleted")
        self.assertContains(self.get(page("version", row_id, 1)), "Restore version 1…")
        self.assertNotContains(self.get(page("version", row_id, 2)), "Restore version 2…")

    def test_pages_join_at_any_depth(self):
        for number in range(70):
            row = self.set(answer=number)
        seen, url = [], page("timeline", row.pk)
        while url:
            response = self.get(url)
            seen.append([step.entry.version for step in response.context["steps"]])
            self.assertTrue(all(step.difference for step in response.context["steps"]))
            older = response.context["older_url"]
            last, url = url, page("timeline", row.pk) + older if older else ""
        self.assertEqual([version for versions in seen for version in versions], list(range(70, 0, -1)))
        self.assertEqual([len(versions) for versions in seen], [25, 25, 20])
        for expected in reversed(seen[:-1]):
            address = self.get(last).context["address"]
            last = page("timeline", row.pk) + address.newer_url
            self.assertEqual([step.entry.version for step in self.get(last).context["steps"]], expected)
        self.assertEqual((self.get(last).context["address"].newer_url, address.newest_url), ("", "?"))

    def test_garbled_addresses_show_the_newest(self):
        row = self.set(answer=1)
        for older in ("x", "1.2.3", "", "9" * 40, "-1", "%00"):
            self.assertEqual(len(self.steps(row, older=older)), 1)

    def test_its_statements_are_as_many_for_two_versions_as_for_fifty(self):
        def statements():
            counts = {}
            for alias in ("default", HISTORY):
                with CaptureQueriesContext(connections[alias]) as captured:
                    self.get(page("timeline", row.pk))
                counts[alias] = len(captured)
                self.assertFalse([query for query in captured if "COUNT(" in query["sql"]])
            return counts

        row = self.set(answer=-1)
        before = statements()
        # A page of versions, and the outline that is drawn.
        self.assertEqual(before[HISTORY], 2)
        for number in range(49):
            self.set(answer=number)
        self.assertEqual(statements(), before)

    def test_large_states_are_not_loaded_but_compared_elsewhere(self):
        self.set(long="x" * 300_000)
        row = self.set(long="y" * 300_000, small=1)
        newest, oldest = self.steps(row)
        self.assertTrue(newest.is_too_large and oldest.is_too_large)
        response = self.get(page("timeline", row.pk))
        self.assertLess(len(response.content), 60_000)
        self.assertContains(response, "too large to compare here")
        compared = self.get(page("compare", row.pk, a=1, b=2))
        self.assertEqual([change.path_text for change in compared.context["difference"].changes], ["long", "small"])
        self.assertLess(len(compared.content), 100_000)


class Moments(PagesTestCase):
    def at(self, moment, row):
        return self.client.get(reverse("admin:xblock_history_moment", args=[row.pk]), {"moment": moment})

    def test_a_moment_redirects_to_the_current_version_of_that_time(self):
        times = []
        for number in range(3):
            row = self.set(answer=number)
            times.append(row.modified)
        for version, moment in enumerate(times, start=1):
            self.assertRedirects(self.at(moment.isoformat(), row), page("version", row.pk, version))
        between = times[1] - timedelta(microseconds=1)
        self.assertRedirects(self.at(between.isoformat(), row), page("version", row.pk, 1))

    def test_a_moment_without_a_zone_is_in_the_current_one(self):
        row = self.set(answer=1)
        local = (row.modified + timedelta(minutes=1)).astimezone(timezone.get_fixed_timezone(120))
        with timezone.override(timezone.get_fixed_timezone(120)):
            response = self.at(local.strftime("%Y-%m-%dT%H:%M"), row)
        self.assertRedirects(response, page("version", row.pk, 1))

    def test_a_time_before_the_first_version_or_invalid_is_reported(self):
        row = self.set(answer=1)
        for moment, message in (
            ("1999-01-01T00:00", "No version existed at"),
            ("yesterday", "is not a time; write it like"),
            ("2026-13-45T99:00", "is not a time; write it like"),
            ("", "is not a time; write it like"),
        ):
            response = self.client.get(
                reverse("admin:xblock_history_moment", args=[row.pk]), {"moment": moment}, follow=True
            )
            self.assertContains(response, message)
