"""A repair undoes the selected changes of each row, keeps later changes, and can be undone and repeated."""

from unittest import mock

from django.db import DatabaseError
from django.test import override_settings
from django.utils import timezone

from history.api import (
    HistoryUnavailable,
    RestoreRefused,
    Selection,
    StateMoved,
    UnusableContext,
    UnusableSelection,
    Verification,
    restore,
    timeline,
    verify,
)
from history.incident import repair as module
from history.models import PendingHistory, StudentModuleHistory
from history.reading.scan import delivered
from kvstore.api import WriteConflict
from kvstore.keys import block_address
from kvstore.models import StudentModule
from kvstore.storage.writing import write_states
from kvstore.testing import UserFactory
from tests.history.incident.case import BLOCK, HARM, JOB, IncidentTestCase, harmed
from tests.history.outages import history_outage, rolled_back
from tests.kvstore.cache.blocks import COURSE, usage


def pending():
    """Leave the entries of writes inside pending."""
    return mock.patch("history.recording.receivers.try_entries", return_value=False)


class OneRow(IncidentTestCase):
    def test_the_state_and_the_grade_of_the_version_before_are_restored(self):
        self.set(answer="a", attempts=1)
        self.score(8)
        before = self.row()
        with harmed():
            self.delete("answer")
            self.score(0)
        self.assertEqual(self.repair(actor=self.user), ["restored"])
        row = self.row()
        self.assertEqual((row.state, row.grade, row.max_grade), (before.state, 8, 10))
        newest = next(timeline(self.user, BLOCK))
        self.assertEqual((newest.action, newest.actor_id, newest.reason), ("restored", self.user.pk, "undo the script"))
        self.assertEqual(newest.request_id, self.progress.repair_id)
        self.assertEqual((newest.source_id, newest.source_version), (row.pk, 2))
        (result,) = self.rows
        self.assertEqual((result.first_version, result.last_version, result.entries), (3, 4, 2))
        self.assertEqual((result.present_version, result.new_version), (4, 5))
        self.assertEqual((result.grade_before, result.grade_after, result.grade_kind), ((0, 10), (8, 10), "increased"))
        self.assertEqual((result.fields, result.repair_id), ((("answer", "added"),), self.progress.repair_id))
        self.assertEqual([change.path_text for change in result.changes], ["answer"])

    def test_grades_can_be_kept(self):
        self.set(answer="a")
        self.score(8)
        with harmed():
            self.set(answer="")
            self.score(0)
        self.assertEqual(self.repair(keep_grades=True), ["restored"])
        self.assertEqual((self.fields(), self.row().grade), ({"answer": "a"}, 0))

    def test_a_later_change_of_another_field_is_kept(self):
        self.set(answer="a", attempts=1)
        with harmed():
            self.set(answer="")
        self.set(attempts=2)
        self.assertEqual(self.repair(), ["merged"])
        self.assertEqual(self.fields(), {"answer": "a", "attempts": 2})

    def test_a_later_grade_is_kept_if_the_selected_changes_kept_the_grade(self):
        self.set(answer="a")
        with harmed():
            self.set(answer="")
        self.score(3)
        self.assertEqual(self.repair(), ["merged"])
        self.assertEqual((self.fields(), self.row().grade), ({"answer": "a"}, 3))

    def test_a_row_of_which_the_same_field_was_changed_afterwards_is_skipped(self):
        self.set(answer="a", seen=1)
        with harmed():
            self.set(answer="", seen=0)
        self.set(answer="b")
        before = self.row()
        self.assertEqual(self.repair(), ["conflict"])
        self.assertEqual(self.rows[0].conflicts, ("answer",))
        self.assertEqual((self.row().version, self.row().state), (before.version, before.state))
        self.assertEqual((self.progress.skipped, self.progress.written), (1, 0))

    def test_a_row_that_was_graded_again_is_skipped_unless_grades_are_kept(self):
        self.set(answer="a")
        self.score(8)
        with harmed():
            self.set(answer="")
            self.score(0)
        self.score(5)
        self.assertEqual(self.repair(), ["conflict"])
        self.assertEqual(self.rows[0].conflicts, ("(grade)",))
        self.assertEqual(self.repair(keep_grades=True), ["restored"])
        self.assertEqual((self.fields(), self.row().grade), ({"answer": "a"}, 5))

    def test_selected_changes_with_changes_of_the_learner_between_them(self):
        self.set(answer="a", note="n", attempts=1)
        with harmed():
            self.set(answer="x")
            self.set(answer="y")
        self.set(attempts=2)
        with harmed():
            self.set(note="z", extra=1)
        self.assertEqual(self.repair(), ["merged"])
        self.assertEqual(self.fields(), {"answer": "a", "note": "n", "attempts": 2})
        self.assertEqual(next(timeline(self.user, BLOCK)).source_version, 1)

    def test_a_row_that_the_script_created_is_kept_without_its_fields(self):
        with harmed():
            self.set(answer="x")
            self.score(1)
        self.assertEqual(self.repair(), ["restored"])
        row = self.row()
        self.assertEqual((row.state, row.grade, row.max_grade, row.version), (None, None, None, 3))
        self.assertEqual(self.progress.emptied, 1)
        self.assertIsNone(next(timeline(self.user, BLOCK)).source_version)
        self.assertEqual(self.repair(), ["repaired"])
        self.assertEqual(list(verify(Verification())), [])

    def test_a_row_that_the_script_created_keeps_the_learner_s_later_fields(self):
        with harmed():
            self.set(answer="x")
        self.set(note="mine")
        self.assertEqual(self.repair(), ["merged"])
        self.assertEqual(self.fields(), {"note": "mine"})

    def test_a_deleted_row_is_created_again(self):
        self.set(answer="a")
        self.score(8)
        old = self.row()
        with harmed():
            self.row().delete()
        self.assertEqual(self.repair(), ["restored"])
        row = self.row()
        self.assertEqual((row.state, row.grade, row.version), (old.state, 8, 1))
        newest = next(timeline(self.user, BLOCK))
        self.assertEqual((newest.action, newest.source_id, newest.source_version), ("restored", old.pk, 2))
        self.assertEqual(self.repair(), ["repaired"])
        self.assertEqual(self.undo(self.rows[0].repair_id), ["restored"])
        self.assertEqual((self.row().state, self.row().grade), (None, None))
        # The selected deletion can be repaired again, on the row that exists now.
        self.assertEqual(self.repair(), ["restored"])
        self.assertEqual((self.row().state, self.row().grade), (old.state, 8))
        self.assertEqual(list(verify(Verification())), [])

    def test_a_deleted_row_that_the_learner_began_again_is_merged_or_skipped(self):
        for later, expected in (({"note": 1}, "merged"), ({"answer": "b"}, "conflict")):
            with self.subTest(later=later):
                block = usage(expected)
                self.set(block=block, answer="a")
                with harmed():
                    self.row(block).delete()
                self.set(block=block, **later)
                self.repair(Selection(request_id=JOB, block=block))
                self.assertEqual([str(row.result) for row in self.rows], [expected])
                self.assertEqual(self.fields(block), {"note": 1, "answer": "a"} if expected == "merged" else later)

    def test_a_row_that_the_script_deleted_and_made_again(self):
        self.set(answer="a")
        with harmed():
            self.row().delete()
            self.set(answer="x")
        # The newest row first: without the script's fields, it can take those of the deleted row.
        self.assertEqual(self.repair(), ["restored", "restored"])
        self.assertEqual(self.fields(), {"answer": "a"})
        self.assertEqual(self.repair(), ["repaired", "repaired"])
        self.assertEqual(self.undo(self.rows[0].repair_id), ["restored"])
        self.assertEqual(self.fields(), {"answer": "x"})

    def test_a_row_that_was_deleted_afterwards_is_skipped(self):
        self.set(answer="a")
        with harmed():
            self.set(answer="")
        self.row().delete()
        self.assertEqual(self.repair(), ["conflict"])
        self.assertFalse(StudentModule.objects.exists())

    def test_a_deleted_learner_is_reported(self):
        self.set(answer="a")
        with harmed():
            self.row().delete()
        self.user.delete()
        self.assertEqual(self.repair(), ["missing_learner"])

    def test_null_and_an_empty_state_stay_different(self):
        self.score(1)
        with harmed():
            self.set(answer="x")
        self.assertEqual(self.repair(), ["restored"])
        self.assertIsNone(self.row().state)

    def test_the_stored_text_is_restored_byte_for_byte(self):
        self.store('{ "answer" : "a" }')
        with harmed():
            self.set(answer="")
        self.repair()
        self.assertEqual(self.row().state, '{ "answer" : "a" }')

    def test_an_unreadable_state_that_the_script_wrote_is_replaced(self):
        self.set(answer="a")
        with harmed():
            self.store('{"answer": "cut')
        self.assertEqual(self.repair(), ["restored"])
        self.assertEqual(self.fields(), {"answer": "a"})

    def test_an_unreadable_state_that_is_needed_is_reported(self):
        self.store('{"answer": "cut')
        with harmed():
            self.store("{}")
        self.assertEqual(self.repair(), ["unreadable"])

    def store(self, state):
        """Write a text as the state."""
        change = {block_address(BLOCK): lambda row: row.values._replace(state=state)}
        write_states(self.user.pk, change, create=True)

    def test_an_altered_entry_is_not_used(self):
        self.set(answer="a")
        with harmed():
            self.set(answer="")
        delivered().filter(version=1).update(state='{"answer":"forged"}')
        self.assertEqual(self.repair(), ["altered"])
        self.assertEqual(self.fields(), {"answer": ""})

    def test_a_row_without_the_version_before_is_skipped(self):
        self.set(answer="a")
        with harmed():
            self.set(answer="")
        delivered().filter(version=1).delete()
        self.assertEqual(self.repair(), ["missing_version"])

    def test_a_block_type_that_is_not_recorded_is_skipped(self):
        self.set(answer="a")
        with harmed():
            self.set(answer="")
        with override_settings(HISTORY_BLOCK_TYPES=["video"]):
            self.assertEqual(self.repair(), ["not_recorded"])

    def test_a_rolled_back_change_is_not_selected(self):
        self.set(answer="a")
        with rolled_back(), harmed():
            self.set(answer="never")
        self.set(answer="b")
        self.assertEqual(self.repair(), [])
        self.assertEqual((self.progress.entries, self.fields()), (0, {"answer": "b"}))

    def test_pending_entries_are_selected(self):
        self.set(answer="a")
        with pending(), harmed():
            self.set(answer="")
        self.assertEqual(PendingHistory.objects.count(), 1)
        self.assertEqual(self.repair(), ["restored"])
        self.assertEqual(self.fields(), {"answer": "a"})

    def test_changes_that_staff_have_undone_are_left(self):
        self.set(answer="a")
        first = next(timeline(self.user, BLOCK))
        with harmed():
            self.set(answer="")
        restore(first, expected_version=2, reason="by hand")
        self.assertEqual(self.repair(), ["unchanged"])


class Runs(IncidentTestCase):
    def setUp(self):
        super().setUp()
        self.blocks = [usage(f"block{number}") for number in range(5)]
        for block in self.blocks:
            self.set(block=block, answer="a")
        with harmed():
            for block in self.blocks:
                self.set(block=block, answer="")

    def stored(self):
        return list(StudentModule.objects.order_by("pk").values_list("version", "state"))

    def test_a_second_run_changes_nothing(self):
        self.repair()
        repaired = self.stored()
        first = self.progress.repair_id
        self.assertEqual(self.repair(), ["repaired"] * 5)
        self.assertEqual({row.repair_id for row in self.rows}, {first})
        self.assertEqual((self.stored(), self.progress.skipped), (repaired, 0))

    def test_a_second_run_changes_nothing_after_learners_continued(self):
        self.repair()
        # As after the script, and again otherwise.
        self.set(block=self.blocks[0], answer="")
        self.set(block=self.blocks[1], answer="b")
        stored = self.stored()
        self.assertEqual(self.repair(), ["repaired"] * 5)
        self.assertEqual(self.stored(), stored)

    def test_a_period_that_contains_its_own_repair_does_not_undo_it(self):
        entry = StudentModuleHistory.objects.order_by("-created").first()
        harm = StudentModuleHistory.objects.filter(request_id=JOB).order_by("created").first()
        self.assertLess(harm.created, entry.created)
        selection = Selection(course=COURSE, since=harm.created, until=timezone.now() + timezone.timedelta(hours=1))
        self.assertEqual(self.repair(selection), ["restored"] * 5)
        repaired = self.stored()
        self.assertEqual(self.repair(selection), ["repaired"] * 5)
        self.assertEqual(self.stored(), repaired)

    def test_a_repair_can_be_undone_and_made_again(self):
        harmed_states = [state for _version, state in self.stored()]
        self.repair()
        first = self.progress.repair_id
        self.assertEqual(self.undo(), ["restored"] * 5)
        self.assertEqual([state for _version, state in self.stored()], harmed_states)
        self.assertEqual(self.undo(first), ["repaired"] * 5)
        self.assertEqual(self.repair(), ["restored"] * 5)
        self.assertEqual([state for _version, state in self.stored()], ['{"answer":"a"}'] * 5)
        self.assertEqual(self.undo(), ["restored"] * 5)
        self.assertEqual([state for _version, state in self.stored()], harmed_states)

    def test_the_undo_keeps_what_learners_did_after_the_repair(self):
        self.repair()
        self.set(block=self.blocks[0], note="mine")
        self.set(block=self.blocks[1], answer="b")
        self.assertEqual(sorted(self.undo()), ["conflict", "merged", *["restored"] * 3])
        self.assertEqual(self.fields(self.blocks[0]), {"answer": "", "note": "mine"})
        self.assertEqual(self.fields(self.blocks[1]), {"answer": "b"})

    def test_a_dry_run_reports_the_same_and_writes_nothing(self):
        before = self.stored()
        self.assertEqual(self.repair(dry_run=True, reason=""), ["restored"] * 5)
        planned = self.rows
        self.assertEqual(self.stored(), before)
        self.repair()
        made = [(row.row_id, row.result, row.changes, row.grade_after) for row in self.rows]
        self.assertEqual([(row.row_id, row.result, row.changes, row.grade_after) for row in planned], made)

    def test_a_run_that_is_interrupted_is_completed_by_a_second_one(self):
        class Interrupted(Exception):
            pass

        def interrupt(row):
            if len(reported) == 2:
                raise Interrupted
            reported.append(row)

        reported = []
        with self.assertRaises(Interrupted):
            self.repair(report=interrupt)
        self.assertEqual([version for version, _state in self.stored()], [2, 2, 3, 3, 3])
        self.assertEqual(sorted(self.repair()), ["repaired"] * 3 + ["restored"] * 2)
        self.assertEqual(self.stored(), [(3, '{"answer":"a"}')] * 5)

    def repair(self, *args, report=None, **options):
        if report is None:
            return super().repair(*args, **options)
        return module.repair(HARM, reason="undo the script", report=report)

    def test_a_run_can_continue_under_the_id_of_the_first(self):
        progress = module.Repair()
        module.repair(HARM, reason="r", progress=progress, stop=lambda: progress.written == 2)
        self.assertEqual((progress.written, progress.last_id), (2, self.row(self.blocks[3]).pk))
        self.repair(repair_id=progress.repair_id, after=progress.last_id)
        self.assertEqual(len(self.rows), 3)
        self.assertEqual(self.undo(progress.repair_id), ["restored"] * 5)

    def test_a_stopped_search_writes_nothing(self):
        self.assertEqual(self.repair(stop=lambda: True), [])

    def test_a_row_that_is_written_during_the_repair_is_planned_again(self):
        write, calls = module._write, []

        def write_after_the_learner(row, values):
            if not calls:
                calls.append(row)
                self.set(block=self.blocks[4], note="mine")
            return write(row, values)

        with mock.patch.object(module, "_write", write_after_the_learner):
            self.assertEqual(self.repair(), ["merged", *["restored"] * 4])
        self.assertEqual(self.fields(self.blocks[4]), {"answer": "a", "note": "mine"})

    def test_a_row_that_is_written_at_each_attempt_is_skipped(self):
        with mock.patch.object(module, "_write", side_effect=StateMoved(1, 2)):
            self.assertEqual(self.repair(), ["changed_meanwhile"] * 5)
        self.assertEqual(self.repair(), ["restored"] * 5)

    def test_a_locked_row_is_named_and_the_others_are_repaired(self):
        write = module._write

        def locked(row, values):
            if row.identity[2] == str(self.blocks[4]):
                raise WriteConflict("the lock is held")
            return write(row, values)

        with mock.patch.object(module, "_write", locked):
            self.assertEqual(self.repair(), ["locked", *["restored"] * 4])
        self.assertEqual(self.repair(), ["restored", *["repaired"] * 4])

    def test_a_lost_connection_ends_the_run_and_a_second_one_completes_it(self):
        write, calls = module._write, []

        def lose(row, values):
            calls.append(row)
            if len(calls) == 3:
                raise DatabaseError("the connection was lost")
            return write(row, values)

        with mock.patch.object(module, "_write", lose), self.assertRaises(DatabaseError):
            self.repair()
        self.assertEqual(sorted(self.repair()), ["repaired"] * 2 + ["restored"] * 3)

    def test_an_outage_of_the_history_writes_nothing(self):
        before = self.stored()
        with history_outage(), self.assertRaises(HistoryUnavailable):
            self.repair()
        self.assertEqual(self.stored(), before)
        self.assertEqual(self.repair(), ["restored"] * 5)

    def test_an_outage_during_the_run_leaves_pending_entries_and_a_second_run_completes(self):
        with mock.patch.object(module, "BATCH_SIZE", 2), pending():
            self.repair()
        self.assertEqual(PendingHistory.objects.count(), 5)
        self.assertEqual(self.repair(), ["repaired"] * 5)
        self.assertEqual(self.undo(self.rows[0].repair_id), ["restored"] * 5)

    def test_the_sums(self):
        UserFactory(username="bo")
        self.set("bo", answer="b")
        with harmed():
            self.set("bo", answer="")
        self.repair()
        sums = self.progress
        self.assertEqual((sums.entries, sums.rows, sums.found, len(sums.learners), len(sums.blocks)), (6, 6, 6, 2, 6))
        self.assertEqual((sums.results, sums.grades), ({"restored": 6}, {"unchanged": 6}))
        self.assertEqual((sums.fields, len(sums.sample)), ({("answer", "changed"): 6}, 6))

    def test_a_reason_and_a_valid_repair_id_are_required(self):
        for options, error in (
            ({"reason": " "}, RestoreRefused),
            ({"reason": "x" * 256}, UnusableContext),
            ({"repair_id": "repair-1"}, UnusableSelection),
            ({"actor": "amara"}, UnusableContext),
        ):
            with self.subTest(options=options), self.assertRaises(error):
                self.repair(**options)
        self.assertEqual({version for version, _state in self.stored()}, {2})
