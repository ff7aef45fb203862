"""``load_demo`` creates the demo's data, and can be repeated."""

from contextlib import redirect_stderr
from datetime import timedelta
from io import StringIO
from itertools import pairwise

from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import override_settings
from django.utils import timezone

from demo.cases import deleted_row, harmful_job, lost_field, wrong_grade
from demo.cases.term import versions_of
from demo.clock import DAYS
from demo.people import people
from history.api import Verification, deliver, diff, restore, timeline, verify
from history.comparison.flags import Flag, flags_for
from history.models import PendingHistory, StudentModuleHistory
from kvstore.models import PreferencesField, StudentModule, UserInfoField, UserStateSummaryField
from kvstore.versioning import codec
from tests.demo.visits import DemoTestCase

ACCOUNTS = ["staff", "newcomer", "ines.duarte", "grading-jobs"]
TABLES = (User, StudentModule, UserStateSummaryField, PreferencesField, UserInfoField, StudentModuleHistory)


def everything() -> list[list[tuple[object, ...]]]:
    return [list(table.objects.order_by("pk").values_list()) for table in TABLES]


def user_id(username: str) -> int:
    return User.objects.get(username=username).pk


def lost_row() -> StudentModule:
    (row_id,) = {entry.student_module_id for entry in versions_of(lost_field.REQUEST_ID)}
    return StudentModule.objects.get(pk=row_id)


@override_settings(DEBUG=True)
class LoadDemoTests(DemoTestCase):
    def load(self, **options: object) -> None:
        call_command("load_demo", **{"learners": 5, "verbosity": 0, **options})

    def test_learners_work_and_their_history_is_real(self) -> None:
        self.load()
        self.assertEqual(User.objects.count(), 5 + len(ACCOUNTS))
        for module in StudentModule.objects.filter(module_type="problem"):
            versions = StudentModuleHistory.objects.filter(student_module_id=module.pk).order_by("version")
            self.assertEqual([entry.version for entry in versions], list(range(1, module.version + 1)))
        self.assertTrue(StudentModule.objects.filter(module_type="problem", grade__gt=0).exists())
        self.assertTrue(UserInfoField.objects.exists())

    def test_the_history_names_the_actors(self) -> None:
        self.load(learners=2)
        entries = StudentModuleHistory.objects.filter(reason="").values_list("actor_id", "student_id", "request_id")
        self.assertTrue(entries)
        self.assertTrue(all(actor == student and request for actor, student, request in entries))

    def test_the_history_explains_the_lost_answer(self) -> None:
        self.load()
        row = lost_row()
        found = {(entry.actor_id, entry.reason) for entry in versions_of(lost_field.REQUEST_ID)}
        self.assertEqual(found, {(user_id("grading-jobs"), lost_field.REASON)})
        self.assertNotIn("answer", codec.loads_state(row.state))
        self.assertEqual((row.grade, row.max_grade), (0, 2))
        newest = list(timeline(row.student, lost_field.BLOCK))
        found = {flag for new, old in pairwise(newest) for flag in flags_for(new, old)}
        self.assertLessEqual({Flag.FIELD_REMOVED, Flag.GRADE_DECREASED}, found)

    def test_an_answer_that_was_put_back_stays(self) -> None:
        self.load()
        row = lost_row()
        versions = timeline(row.student, lost_field.BLOCK)
        before = next(entry for entry in versions if entry.reason != lost_field.REASON)
        restore(before, expected_version=row.version, reason="appeal", actor=user_id("staff"), grade=True)
        restored = everything()
        self.load()
        self.assertEqual(everything(), restored)

    def test_a_second_run_changes_nothing(self) -> None:
        self.load()
        before = everything()
        self.load()
        self.assertEqual(everything(), before)

    def test_the_newcomer_has_done_nothing(self) -> None:
        self.load()
        self.assertFalse(StudentModule.objects.filter(student__username="newcomer").exists())

    def test_a_larger_class_later_keeps_the_first(self) -> None:
        self.load(learners=2)
        before = list(StudentModule.objects.order_by("pk").values_list("pk", "version"))
        self.load(learners=4)
        after = list(StudentModule.objects.order_by("pk").values_list("pk", "version"))
        self.assertEqual(after[: len(before)], before)

    def test_the_output_names_the_admin_and_a_learner(self) -> None:
        out = StringIO()
        with redirect_stderr(StringIO()) as progress:
            call_command("load_demo", learners=1, stdout=out)
        self.assertIn("1/1", progress.getvalue())
        self.assertIn("http://127.0.0.1:8000/admin/", out.getvalue())
        self.assertIn("http://127.0.0.1:8000/cases/  as staff", out.getvalue())
        self.assertIn("amara.okafor", out.getvalue())

    def test_the_accounts_it_names_can_sign_in(self) -> None:
        self.load(learners=1)
        for username in ("amara.okafor", "newcomer", "staff"):
            self.assertTrue(self.client.login(username=username, password="demo"))

    @override_settings(DEBUG=False)
    def test_it_refuses_outside_debug(self) -> None:
        with self.assertRaisesMessage(CommandError, "DEBUG"):
            self.load()
        self.assertEqual(User.objects.count(), 0)

    def test_an_empty_class_is_refused(self) -> None:
        with self.assertRaisesMessage(CommandError, "above zero"):
            call_command("load_demo", "--learners=0")


@override_settings(DEBUG=True)
class FullClassTests(DemoTestCase):
    """The class of the default size, which is large enough for every case."""

    @classmethod
    def setUpTestData(cls) -> None:
        call_command("load_demo", verbosity=0)

    def test_the_work_is_spread_over_weeks_and_none_is_in_the_future(self) -> None:
        times = list(StudentModuleHistory.objects.order_by("created").values_list("created", flat=True))
        self.assertGreater(times[-1] - times[0], timedelta(days=28))
        self.assertGreater(len({moment.date() for moment in times}), 20)
        self.assertLess(timezone.now() - times[0], timedelta(days=DAYS + 1))
        self.assertLess(times[-1], timezone.now())

    def test_verification_finds_no_problem_before_and_after_the_delivery(self) -> None:
        for _ in range(2):
            compared = Verification()
            self.assertEqual(list(verify(compared)), [])
            self.assertGreater(compared.rows, 150)
            deliver()

    def test_an_override_lowered_a_grade_only(self) -> None:
        (entry,) = versions_of(wrong_grade.REQUEST_ID)
        newest, before, *_ = timeline(entry.student_id, wrong_grade.BLOCK)
        self.assertEqual((newest.digest, newest.grade, before.grade), (entry.digest, 0, 1))
        self.assertFalse(diff(before.state, newest.state))

    def test_a_deleted_row_was_recreated_by_its_learner(self) -> None:
        (deletion,) = versions_of(deleted_row.REQUEST_ID)
        versions = list(timeline(deletion.student_id, deleted_row.BLOCK))
        rows = [entry.student_module_id for entry in versions]
        self.assertEqual(len(set(rows)), 2)
        self.assertEqual(rows[-1], deletion.student_module_id)
        self.assertEqual(versions[0].fields["answer"], deleted_row.NEW_ANSWER)
        self.assertGreater(versions[0].created, deletion.created)

    def test_entries_are_pending_until_they_are_delivered(self) -> None:
        pending = PendingHistory.objects.exclude(request_id=deleted_row.REQUEST_ID)
        self.assertEqual(len(set(pending.values_list("student_id", flat=True))), 4)
        call_command("load_demo", verbosity=0)
        self.assertTrue(pending.exists())
        deliver()
        call_command("load_demo", verbosity=0)
        self.assertFalse(pending.exists())

    def test_a_job_harmed_40_learners_of_whom_3_continued(self) -> None:
        versions = versions_of(harmful_job.REQUEST_ID)
        self.assertLess(versions[-1].created - versions[0].created, timedelta(minutes=3))
        harmed = {entry.student_module_id: entry for entry in versions}
        self.assertEqual(len(harmed), 40)
        continued = [row for row in StudentModule.objects.filter(pk__in=harmed) if row.version > harmed[row.pk].version]
        answers = sorted(codec.loads_state(row.state)["answer"] for row in continued)
        self.assertEqual(answers, [harmful_job.WRONG_ANSWER, harmful_job.WRONG_ANSWER, "quarters"])
        self.assertEqual(sum(codec.loads_state(row.state).get("hint_seen", False) for row in continued), 2)

    def test_no_learner_has_two_cases(self) -> None:
        cases = (lost_field, wrong_grade, deleted_row, harmful_job)
        learners = [{entry.student_id for entry in versions_of(case.REQUEST_ID)} for case in cases]
        learners += [set(PendingHistory.objects.filter(reason="").values_list("student_id", flat=True))]
        self.assertEqual(len(set.union(*learners)), sum(map(len, learners)))


class PeopleTests(DemoTestCase):
    def test_usernames_are_unique_in_a_large_class(self) -> None:
        usernames = {person.username for person in people(500)}
        self.assertEqual(len(usernames), 500)
