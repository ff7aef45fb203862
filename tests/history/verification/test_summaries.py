"""Verification reads states only to compute digests, and reads every row id that has entries.

TransactionTestCase, because verification locks rows and reads committed data.
"""

from django.db import connections
from django.test import TransactionTestCase
from django.test.utils import CaptureQueriesContext

from history.models import PendingHistory
from history.reading.scan import delivered, next_row_ids
from history.verification.summaries import summaries_between
from kvstore.api import DjangoXBlockUserStateClient
from kvstore.models import StudentModule
from kvstore.querysets import unguarded
from kvstore.testing import UserFactory
from tests.history.outages import history_outage
from tests.history.verification.sealing import verify_history
from tests.kvstore.cache.blocks import usage

HISTORY = "student_module_history"


class Evidence(TransactionTestCase):
    databases = {"default", HISTORY}

    def setUp(self):
        self.user = UserFactory()
        for value in (1, 2, 3):
            self.set("tides", value)
        self.row_id = StudentModule.objects.get().pk

    def set(self, name, value):
        DjangoXBlockUserStateClient(self.user).set(self.user.username, usage(name), {"a": value})

    def assert_problems(self, *expected, **options):
        self.assertEqual(verify_history(**options).problems, [(kind, self.row_id, [3]) for kind in expected])

    def test_no_state_of_an_entry_is_read_without_digests(self):
        for no_digests in (True, False):
            with CaptureQueriesContext(connections[HISTORY]) as captured:
                self.assert_problems(no_digests=no_digests)
            statements = [query["sql"].replace("`", '"') for query in captured]
            self.assertEqual(any('"state"' in statement for statement in statements), not no_digests)

    def test_a_row_that_was_changed_past_the_store(self):
        unguarded(StudentModule, "default").update(state='{"a":0}')
        self.assert_problems("differs")
        self.assert_problems("differs", no_digests=True)
        unguarded(StudentModule, "default").update(state='{"a":3}', grade=1)
        self.assert_problems("differs")
        self.assert_problems("differs", no_digests=True)

    def test_an_altered_entry_of_a_row_that_has_the_right_values(self):
        """The digest of the row proves its values, so a repair must not record them again."""
        entry = delivered().filter(version=3)
        for values in ({"state": '{"a":0}'}, {"reason": "none"}, {"grade": 1}):
            with self.subTest(values):
                before = entry.values(*values).get()
                entry.update(**values)
                self.assert_problems("altered")
                self.assert_problems("altered", repair=True)
                self.assert_problems(no_digests=True)
                entry.update(**before)

    def test_an_altered_entry_of_a_row_that_was_changed_too(self):
        delivered().filter(version=3).update(state='{"a":0}')
        unguarded(StudentModule, "default").update(state='{"a":9}')
        self.assert_problems("altered", "differs")

    def test_a_malformed_digest(self):
        for digest in (b"", b"\x01", b"\x01" * 32, b"\x00" * 33):
            with self.subTest(digest):
                for stored in (delivered().filter(version=3), unguarded(StudentModule, "default")):
                    stored.update(digest=digest)
                self.assert_problems("altered")

    def test_a_digest_in_the_format_of_a_newer_release(self):
        for stored in (delivered().filter(version=3), unguarded(StudentModule, "default")):
            stored.update(digest=b"\x02" * 33)
        report = verify_history()
        self.assertEqual((report.code, report.problems), (1, [("format", self.row_id, [3])]))

    def test_the_ids_of_rows_that_pending_entries_alone_have(self):
        with history_outage():
            self.set("rivers", 1)
            row = StudentModule.objects.get(module_state_key=usage("rivers"))
            row_id = row.pk
            row.delete()
        self.assertEqual(PendingHistory.objects.count(), 2)
        self.assertEqual(next_row_ids(0, 10), [self.row_id, row_id])
        self.assertEqual(next_row_ids(0, 1), [self.row_id])
        (summary,) = summaries_between(row_id, row_id, with_digests=True)
        self.assertEqual((summary.entries, summary.outside, summary.gaps, summary.altered), (2, [], [], []))
        self.assertEqual(verify_history().sums["entries"], 5)
