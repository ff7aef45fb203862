"""Verification finds differences between the two databases, repairs them where it has proof, and reports the rest.

TransactionTestCase, because verification locks rows and reads committed data.
"""

import json
from datetime import timedelta

from django.core.management import CommandError, call_command
from django.test import TransactionTestCase, override_settings

from history.api import timeline
from history.models import StudentModuleHistory
from history.reading.scan import delivered
from history.verification.verify import Verification, verify
from kvstore.api import DjangoXBlockUserStateClient
from kvstore.models import StudentModule
from kvstore.querysets import unguarded
from kvstore.testing import UserFactory
from tests.history.commands import exit_code, run_command
from tests.history.outages import history_outage, rolled_back
from tests.history.verification.sealing import batches_of
from tests.kvstore.cache.blocks import usage

LONG_AGO = timedelta(days=1)


class Verifying(TransactionTestCase):
    databases = {"default", "student_module_history"}

    def setUp(self):
        self.user = UserFactory()
        self.client = DjangoXBlockUserStateClient(self.user)
        for value in range(1, 5):
            self.client.set(self.user.username, usage("block"), {"a": value})
        self.client.set(self.user.username, usage("healthy"), {"a": 1})
        self.client.set(self.user.username, usage("html", "html"), {"a": 1})
        self.row = StudentModule.objects.get(module_state_key=usage("block"))

    def problems(self, **options):
        return [(found.kind, found.versions, found.repaired) for found in verify(Verification(), **options)]

    def assert_repairs(self, kind, versions, then=()):
        self.assertEqual(self.problems(), [(kind, versions, False)])
        self.assertEqual(self.problems(repair=True), [(kind, versions, True)])
        self.assertEqual(self.problems(), list(then))

    def entry(self, version):
        return delivered().filter(student_module_id=self.row.pk, version=version)

    def copy(self, entry, **changes):
        entry.pk, entry._state.adding = None, True
        for name, value in changes.items():
            setattr(entry, name, value)
        entry.save()

    def test_nothing_is_wrong(self):
        self.assertEqual(self.problems(), [])
        with batches_of(1):
            self.assertEqual(self.problems(), [])

    def test_pending_entries_are_not_missing(self):
        with history_outage():
            self.client.set(self.user.username, usage("block"), {"a": 9})
        self.assertEqual(self.problems(), [])

    def timeline_values(self):
        return [json.loads(entry.state)["a"] for entry in timeline(self.user, usage("block"))]

    def test_a_phantom_is_named_and_stays(self):
        with rolled_back():
            self.client.set(self.user.username, usage("block"), {"a": "undone"})
        for value in (4, 5):
            self.client.set(self.user.username, usage("block"), {"a": value})
            for repair in (True, False):
                self.assertEqual(self.problems(repair=repair), [("phantom", [5], False)])
        self.assertEqual(self.timeline_values(), [5, 4, 3, 2, 1])
        self.assertEqual(self.entry(5).count(), 2)

    def test_a_pending_version_beside_a_phantom_is_not_a_gap(self):
        with rolled_back():
            self.client.set(self.user.username, usage("block"), {"a": "undone"})
        with history_outage():
            self.client.set(self.user.username, usage("block"), {"a": 5})
        self.assertEqual(self.problems(), [("phantom", [5], False)])

    def set_back(self):
        """Put the row back as it was in a backup, two versions ago."""
        backup = unguarded(StudentModule, "default").filter(pk=self.row.pk).values().get()
        for value in (5, 6):
            self.client.set(self.user.username, usage("block"), {"a": value})
        rows = unguarded(StudentModule, "default").filter(pk=self.row.pk)
        rows.update(**{name: value for name, value in backup.items() if name != "id"})

    def test_versions_from_after_the_backup_that_the_state_is_from_are_a_branch(self):
        self.set_back()
        expected = [("branch", [5], False), ("phantom", [6], False)]
        self.assertEqual(self.problems(repair=True), expected)
        self.assertEqual([json.loads(self.entry(version).get().state) for version in (5, 6)], [{"a": 5}, {"a": 6}])
        self.assertEqual(self.timeline_values(), [4, 3, 2, 1])
        self.client.set(self.user.username, usage("block"), {"a": 7})
        self.client.set(self.user.username, usage("block"), {"a": 8})
        self.assertEqual(self.problems(), expected)
        self.assertEqual(self.timeline_values(), [8, 7, 4, 3, 2, 1])

    def test_an_altered_entry_is_named(self):
        for changes in ({"grade": 1}, {"state": "{}"}, {"actor_id": 1}, {"reason": "x"}, {"request_id": "x"}):
            with self.subTest(changes):
                before = self.entry(2).values(*changes).get()
                self.entry(2).update(**changes)
                self.assertEqual(self.problems(), [("altered", [2], False)])
                self.assertEqual(self.problems(digests=False), [])
                self.entry(2).update(**before)
        self.assertEqual(self.problems(), [])

    def test_a_malformed_digest_differs_from_one_of_a_newer_format(self):
        digest = self.entry(1).get().digest
        for stored, kind in ((digest[:20], "altered"), (b"\x02" + digest[1:], "format")):
            with self.subTest(kind):
                self.entry(1).update(digest=stored)
                self.assertIn((kind, [1], False), self.problems())
                self.assertEqual(self.timeline_values(), [4, 3, 2])
                self.entry(1).update(digest=digest)

    def test_a_gap_is_named_and_stays(self):
        self.entry(2).delete()
        self.assertEqual(self.problems(repair=True), [("gap", [2], False)])
        self.assertEqual(self.problems(), [("gap", [2], False)])

    def test_where_the_entry_of_the_present_version_is_missing_repair_records_the_state_again(self):
        self.entry(4).delete()
        self.assertEqual(self.problems(repair=True), [("gap", [4], False)])
        self.assertEqual(self.problems(repair=True), [("gap", [4], False)])
        newest = next(timeline(self.user, usage("block")))
        self.assertEqual((newest.version, newest.state, newest.reason), (5, '{"a":4}', "recorded by verify_history"))
        self.assertEqual(self.timeline_values(), [4, 3, 2, 1])

    def test_a_change_of_the_row_past_the_store_is_recorded(self):
        rows = unguarded(StudentModule, "default").filter(pk=self.row.pk)
        for version, changes in ((4, {"state": '{"a": 0}'}), (5, {"grade": 1.0})):
            rows.update(**changes)
            self.assert_repairs("differs", [version])
        self.assertEqual(self.timeline_values(), [0, 0, 4, 3, 2, 1])

    def test_a_row_without_any_entry_gets_one_of_its_present_state(self):
        delivered().filter(student_module_id=self.row.pk).delete()
        self.assert_repairs("unrecorded", [4])
        self.assertEqual(self.timeline_values(), [4])

    def vanish(self):
        unguarded(StudentModule, "default").filter(pk=self.row.pk)._raw_delete("default")

    def age(self, *versions):
        for entry in delivered().filter(student_module_id=self.row.pk, version__in=versions):
            self.entry(entry.version).update(created=entry.created - LONG_AGO)

    def test_a_row_that_vanished_is_named(self):
        self.vanish()
        self.assertEqual(self.problems(), [])
        self.age(1, 2, 3, 4)
        self.assertEqual(self.problems(repair=True, digests=False), [("vanished", [4], False)])

    def test_an_insert_that_may_have_been_rolled_back_is_named_and_stays(self):
        self.vanish()
        self.age(1, 2, 3, 4)
        delivered().filter(student_module_id=self.row.pk).update(transaction_id=1)
        for repair in (True, False):
            self.assertEqual(self.problems(repair=repair, digests=False), [("unproven", [4], False)])
        self.assertEqual(list(timeline(self.user, usage("block"))), [])

    def test_a_deleted_row_is_right(self):
        self.row.delete()
        self.assertEqual(self.problems(), [])

    @override_settings(HISTORY_ON_DELETE="erase")
    def test_leftovers_of_an_erased_row_are_erased(self):
        with override_settings(HISTORY_ON_DELETE="keep"):
            self.row.delete()
        self.assert_repairs("erasable", [5])
        self.assertFalse(delivered().filter(student_module_id=self.row.pk).exists())

    def test_entries_of_an_earlier_row_with_the_same_id_are_distinguished(self):
        other = UserFactory()
        self.copy(self.entry(1).get(), version=9, student_id=other.pk)
        self.age(9)
        self.assertEqual(self.problems(repair=True, digests=False), [("unproven", [9], False)])

    def test_a_run_goes_on_where_another_ended(self):
        progress = Verification(last_id=self.row.pk)
        self.entry(2).delete()
        self.assertEqual(list(verify(progress)), [])
        self.assertGreater(progress.last_id, self.row.pk)

    def test_the_command_reports_in_lines_and_in_json(self):
        self.entry(2).delete()
        lines, code = self.command(repair=True)
        self.assertIn(f"gap: row {self.row.pk}, version 2: not repaired.", lines)
        self.assertEqual(code, 1)
        output, code = self.command(json=True)
        *problems, sums = map(json.loads, output.splitlines())
        self.assertEqual([(found["problem"], found["versions"]) for found in problems], [("gap", [2])])
        self.assertEqual((sums["rows"], sums["entries"], sums["problems"]), (3, 4, {"gap": 1}))

    def test_phantoms_alone_do_not_fail_the_command(self):
        with rolled_back():
            self.client.set(self.user.username, usage("block"), {"a": "undone"})
        output, code = self.command()
        self.assertEqual((code, "1 phantom" in output), (0, True))

    def command(self, **options):
        ended = run_command("verify_history", **options)
        return ended.output, ended.code

    def test_the_error_of_the_command_names_the_fix(self):
        self.entry(2).delete()
        for options, advice in (({}, "verify_history --repair"), ({"repair": True}, "docs/howto/outages.md")):
            with self.subTest(options=options):
                ended = run_command("verify_history", **options)
                self.assertIn("1 problems of the history that are not repaired", ended.message)
                self.assertIn(advice, ended.message)

    def test_the_exit_codes_of_the_command_line(self):
        self.assertEqual(exit_code("verify_history"), 0)
        self.entry(2).delete()
        self.assertEqual(exit_code("verify_history"), 1)

    def test_bad_arguments(self):
        for argument in ("--after=-1", "--after=x", "--sleep=-1", "--sleep=nan"):
            with self.subTest(argument=argument), self.assertRaises(CommandError):
                call_command("verify_history", argument)

    def test_the_command_succeeds_where_nothing_is_wrong(self):
        output, code = self.command()
        self.assertEqual((code, "nothing wrong" in output), (0, True))
        self.assertEqual(StudentModuleHistory.objects.count(), 5)
