"""``load_demo`` creates the demo's data, and can be repeated."""

from contextlib import redirect_stderr
from io import StringIO
from itertools import pairwise

from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import override_settings

from demo.lost_answer import BLOCK, JOB, REASON
from demo.people import people
from history.api import restore, timeline
from history.comparison.flags import Flag, flags_for
from history.models import StudentModuleHistory
from kvstore.models import PreferencesField, StudentModule, UserInfoField, UserStateSummaryField
from kvstore.versioning import codec
from tests.demo.visits import DemoTestCase

TABLES = (User, StudentModule, UserStateSummaryField, PreferencesField, UserInfoField, StudentModuleHistory)


def everything() -> list[list[tuple[object, ...]]]:
    return [list(table.objects.order_by("pk").values_list()) for table in TABLES]


def staff_id() -> int:
    return User.objects.get(username="staff").pk


def lost_row() -> StudentModule:
    (row_id,) = set(StudentModuleHistory.objects.filter(reason=REASON).values_list("student_module_id", flat=True))
    return StudentModule.objects.get(pk=row_id)


@override_settings(DEBUG=True)
class LoadDemoTests(DemoTestCase):
    def load(self, **options: object) -> None:
        call_command("load_demo", **{"learners": 5, "verbosity": 0, **options})

    def test_learners_work_and_their_history_is_real(self) -> None:
        self.load()
        self.assertEqual(User.objects.count(), 5 + len(["staff", "newcomer"]))
        for module in StudentModule.objects.filter(module_type="problem"):
            versions = StudentModuleHistory.objects.filter(student_module_id=module.pk).order_by("version")
            self.assertEqual([entry.version for entry in versions], list(range(1, module.version + 1)))
        self.assertTrue(StudentModule.objects.filter(module_type="problem", grade__gt=0).exists())
        self.assertTrue(UserInfoField.objects.exists())

    def test_the_history_names_the_actors(self) -> None:
        self.load(learners=2)
        entries = StudentModuleHistory.objects.values_list("actor_id", "student_id", "reason")
        self.assertTrue(entries)
        self.assertTrue(all(actor == student and reason for actor, student, reason in entries))

    def test_the_history_explains_the_lost_answer(self) -> None:
        self.load()
        entries = StudentModuleHistory.objects.filter(reason=REASON)
        row = lost_row()
        self.assertEqual({(entry.actor_id, entry.request_id) for entry in entries}, {(staff_id(), JOB)})
        self.assertNotIn("answer", codec.loads_state(row.state))
        self.assertEqual((row.grade, row.max_grade), (0, 2))
        newest = list(timeline(row.student, BLOCK))
        found = {flag for new, old in pairwise(newest) for flag in flags_for(new, old)}
        self.assertLessEqual({Flag.FIELD_REMOVED, Flag.GRADE_DECREASED}, found)

    def test_an_answer_that_was_put_back_stays(self) -> None:
        self.load()
        row = lost_row()
        before = next(entry for entry in timeline(row.student, BLOCK) if entry.reason != REASON)
        restore(before, expected_version=row.version, reason="appeal", actor=staff_id(), grade=True)
        restored = everything()
        self.load()
        self.assertEqual(everything(), restored)

    def test_the_output_names_the_learner_and_link_of_the_lost_answer(self) -> None:
        for learners, is_printed in ((5, True), (1, False)):
            out = StringIO()
            with redirect_stderr(StringIO()):
                call_command("load_demo", learners=learners, stdout=out)
            self.assertEqual("nightly regrade" in out.getvalue(), is_printed)
            self.assertEqual("/timeline/" in out.getvalue(), is_printed)
            User.objects.all().delete()

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


class PeopleTests(DemoTestCase):
    def test_usernames_are_unique_in_a_large_class(self) -> None:
        usernames = {person.username for person in people(500)}
        self.assertEqual(len(usernames), 500)
