"""Verification finds what is wrong between the two databases, mends what it can prove, and names the rest.

TransactionTestCase, because verification locks rows and reads what was committed.
"""

import json
from datetime import timedelta

from django.test import TransactionTestCase, override_settings

from history.api import timeline
from history.evidence import delivered
from history.models import StudentModuleHistory
from history.verification import Verification, verify
from kvstore.api import DjangoXBlockUserStateClient
from kvstore.models import StudentModule
from kvstore.testing import UserFactory
from kvstore.versions import plain_rows
from tests.history.commands import exit_code, run_command
from tests.history.outages import history_outage, rolled_back
from tests.kvstore.blocks import usage

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
        self.assertEqual(self.problems(batch_size=1), [])

    def test_what_waits_is_not_missing(self):
        with history_outage():
            self.client.set(self.user.username, usage("block"), {"a": 9})
        self.assertEqual(self.problems(), [])

    def test_a_version_that_waits_where_a_phantom_was_delivered_is_no_fault(self):
        with rolled_back():
            self.client.set(self.user.username, usage("block"), {"a": "undone"})
        with history_outage():
            self.client.set(self.user.username, usage("block"), {"a": 5})
        self.assertEqual(self.problems(), [])

    def told(self):
        return [json.loads(entry.state)["a"] for entry in timeline(self.user, usage("block"))]

    def test_a_phantom_is_named_and_stays_until_its_version_is_real(self):
        with rolled_back():
            self.client.set(self.user.username, usage("block"), {"a": "undone"})
        for repair in (True, False):
            self.assertEqual(self.problems(repair=repair), [("phantom", [5], False)])
        self.assertEqual(self.told(), [4, 3, 2, 1])
        self.client.set(self.user.username, usage("block"), {"a": 5})
        self.assertEqual(self.problems(), [])
        self.assertEqual(self.told(), [5, 4, 3, 2, 1])

    def test_phantoms_are_removed_where_the_project_says_that_they_are(self):
        with rolled_back():
            self.client.set(self.user.username, usage("block"), {"a": "undone"})
        self.assertEqual(self.problems(remove_phantoms=True), [("phantom", [5], True)])
        self.assertFalse(self.entry(5).exists())
        self.assertEqual(self.problems(), [])
        self.assertEqual(self.told(), [4, 3, 2, 1])

    def test_what_was_committed_after_the_backup_that_the_state_is_from_stays(self):
        """The row as it was in a backup, put back: its last two versions are in the history alone."""
        backup = plain_rows(StudentModule, "default").filter(pk=self.row.pk).values().get()
        for value in (5, 6):
            self.client.set(self.user.username, usage("block"), {"a": value})
        rows = plain_rows(StudentModule, "default").filter(pk=self.row.pk)
        rows.update(**{name: value for name, value in backup.items() if name != "id"})
        self.assertEqual(self.problems(repair=True), [("phantom", [5, 6], False)])
        self.assertEqual([json.loads(self.entry(version).get().state) for version in (5, 6)], [{"a": 5}, {"a": 6}])
        self.assertEqual(self.told(), [4, 3, 2, 1])

    def test_a_gap_is_named_and_stays(self):
        self.entry(2).delete()
        self.assertEqual(self.problems(repair=True), [("gap", [2], False)])
        self.assertEqual(self.problems(), [("gap", [2], False)])

    def test_the_missing_entry_of_the_present_version_is_rebuilt(self):
        self.entry(4).delete()
        self.assert_repairs("gap", [4])
        self.assertEqual(json.loads(next(timeline(self.user, usage("block"))).state), {"a": 4})

    def test_an_entry_that_says_something_else_than_the_row_is_corrected(self):
        self.entry(4).update(state='{"a":0}')
        self.assert_repairs("differs", [4])
        self.assertEqual(self.entry(4).get().state, '{"a":4}')
        self.entry(4).update(grade=1)
        self.assert_repairs("differs", [4])

    def test_a_row_without_any_entry_gets_that_of_its_present_version(self):
        delivered().filter(student_module_id=self.row.pk).delete()
        self.assert_repairs("unrecorded", [4])

    def vanish(self):
        plain_rows(StudentModule, "default").filter(pk=self.row.pk)._raw_delete("default")

    def age(self, *versions):
        for entry in delivered().filter(student_module_id=self.row.pk, version__in=versions):
            self.entry(entry.version).update(created=entry.created - LONG_AGO)

    def test_a_row_that_vanished_gets_its_end(self):
        self.age(1, 2)
        self.vanish()
        self.assertEqual(self.problems(in_flight=timedelta(hours=1)), [])
        self.age(1, 2, 3, 4)
        self.assert_repairs("vanished", [5])
        entries = list(timeline(self.user, usage("block")))
        self.assertEqual([entry.action for entry in entries], ["deleted", "changed", "changed", "changed", "created"])

    def test_an_insert_that_may_have_been_rolled_back_is_named_and_stays(self):
        self.vanish()
        self.age(1, 2, 3, 4)
        for repair in (True, False):
            self.assertEqual(self.problems(repair=repair), [("unproven", [4], False)])
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

    @override_settings(HISTORY_ON_DELETE="erase")
    def test_an_end_that_was_found_is_no_word_to_erase(self):
        self.age(1, 2)
        self.age(1, 2, 3, 4)
        self.vanish()
        self.assert_repairs("vanished", [5])
        self.assertEqual(self.problems(repair=True), [])
        self.assertEqual(delivered().filter(student_module_id=self.row.pk).count(), 5)

    def test_entries_of_a_row_that_had_the_id_before_are_told_apart(self):
        other = UserFactory()
        self.copy(self.entry(1).get(), version=9, student_id=other.pk)
        self.age(9)
        self.assertEqual(self.problems(repair=True), [("unproven", [9], False)])

    def test_a_run_goes_on_where_another_ended(self):
        progress = Verification(last_id=self.row.pk)
        self.entry(2).delete()
        self.assertEqual(list(verify(progress)), [])
        self.assertGreater(progress.last_id, self.row.pk)

    def test_the_command_reports_in_lines_and_in_json(self):
        self.entry(2).delete()
        self.copy(self.entry(4).get(), version=5)
        lines, code = self.command(repair=True)
        self.assertIn(f"phantom: row {self.row.pk}, version 5: not repaired. rolled back, or committed before", lines)
        self.assertIn(f"gap: row {self.row.pk}, version 2: not repaired.", lines)
        self.assertEqual(code, 1)
        lines, code = self.command(remove_phantoms=True)
        self.assertIn(f"phantom: row {self.row.pk}, version 5: repaired.", lines)
        output, code = self.command(json=True)
        *problems, sums = map(json.loads, output.splitlines())
        self.assertEqual([(found["problem"], found["versions"]) for found in problems], [("gap", [2])])
        self.assertEqual((sums["rows"], sums["entries"], sums["problems"]), (3, 4, {"gap": 1}))

    def test_phantoms_alone_are_no_failure_of_the_command(self):
        self.copy(self.entry(4).get(), version=5)
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

    def test_the_command_succeeds_where_nothing_is_wrong(self):
        output, code = self.command()
        self.assertEqual((code, "nothing wrong" in output), (0, True))
        self.assertEqual(StudentModuleHistory.objects.count(), 5)
