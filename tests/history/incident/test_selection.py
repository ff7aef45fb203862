"""Selections: each criterion, the ranges of the search, refusals, and typed criteria."""

from datetime import UTC, datetime, timedelta
from unittest import mock

from django.test import SimpleTestCase, TestCase
from opaque_keys.edx.keys import CourseKey, UsageKey

from history.api import Selection, UnusableSelection
from history.incident import search
from history.incident.criteria import CRITERIA, command_line, selection_from
from history.incident.search import UnfinishedSearch, find_rows
from history.models import StudentModuleHistory
from kvstore.testing import UserFactory
from tests.history.entries import entry
from tests.history.hostile import STATES
from tests.kvstore.cache.blocks import COURSE, usage

START = datetime(2026, 1, 31, 22, tzinfo=UTC)
HOUR = timedelta(hours=1)
PERIOD = {"since": START, "until": START + 8 * HOUR}
OTHER = CourseKey.from_string("course-v1:Org+Other+Run")
VIDEO = OTHER.make_usage_key("video", "v")


class Refusals(SimpleTestCase):
    def assert_refused(self, message, **criteria):
        with self.assertRaisesMessage(UnusableSelection, message):
            Selection(**criteria)

    def test_a_selection_without_a_cause_or_a_period(self):
        for criteria in (
            {},
            {"course": COURSE},
            {"block": usage("block")},
            {"block_type": "problem"},
            {"since": START},
            {"until": START},
            {"course": COURSE, "since": START},
            {"request_id": "", "reason": ""},
        ):
            with self.subTest(criteria=criteria):
                self.assert_refused("The selection is too wide.", **criteria)

    def test_criteria_that_no_entry_can_meet(self):
        self.assert_refused("not before its end", since=START, until=START)
        self.assert_refused("The block is not in the course.", course=OTHER, block=usage("block"), **PERIOD)
        self.assert_refused("time zone", since=datetime(2026, 1, 1), until=START)  # noqa: DTZ001  the case
        self.assert_refused("characters", reason="x" * 256)
        self.assert_refused("NUL", request_id="a\0")
        self.assert_refused("surrogate", reason="\ud800")
        self.assert_refused("neither a user", actor_id=2**63)
        self.assert_refused("not a UsageKey", block="text", **PERIOD)
        self.assert_refused("pass the right kind of key", course=usage("block"), **PERIOD)

    def test_an_old_key_needs_no_course(self):
        key = UsageKey.from_string("i4x://Org/Course/problem/block")
        self.assertEqual(Selection(block=key, course=COURSE, **PERIOD).filters["module_state_key"], str(key))


class Search(TestCase):
    databases = {"default", "student_module_history"}

    @classmethod
    def setUpTestData(cls):
        entries = [
            entry(version, student_module_id=row, student_id=row, created=START + (row * 10 + version) * HOUR, **more)
            for row, more in (
                (1, {"reason": "nightly", "actor_id": 5}),
                (
                    2,
                    {
                        "course_id": OTHER,
                        "module_state_key": VIDEO,
                        "module_type": "video",
                    },
                ),
                (3, {"request_id": "Job"}),
                (4, {"request_id": "job"}),
            )
            for version in (2, 3, 1)
        ]
        StudentModuleHistory.objects.bulk_create(entries)

    def rows(self, **criteria):
        return find_rows(Selection(**criteria))

    def test_each_criterion_and_any_size_of_range(self):
        whole = {"since": START, "until": START + 100 * HOUR}
        for size in (1, 2, 3, 10_000):
            with self.subTest(size=size), mock.patch.object(search, "SCANNED_ENTRIES", size):
                self.assertEqual(self.rows(**whole), {1: 1, 2: 1, 3: 1, 4: 1})
                self.assertEqual(self.rows(course=OTHER, **whole), {2: 1})
                self.assertEqual(self.rows(block=usage("absent"), **whole), {})
                self.assertEqual(self.rows(block=VIDEO, **whole), {2: 1})
                self.assertEqual(self.rows(block=VIDEO, course=OTHER, **whole), {2: 1})
                self.assertEqual(self.rows(course=COURSE, block_type="video", **whole), {})
                self.assertEqual(self.rows(course=COURSE, reason="nightly"), {1: 1})
                self.assertEqual(self.rows(block_type="video", **whole), {2: 1})
                self.assertEqual(self.rows(actor_id=5), {1: 1})
                self.assertEqual(self.rows(reason="nightly"), {1: 1})
                self.assertIn(3, self.rows(request_id="Job"))
                self.assertEqual(self.rows(since=START + 12 * HOUR, until=START + 22 * HOUR), {1: 2, 2: 1})
                self.assertEqual(self.rows(reason="nightly", since=START + 13 * HOUR), {1: 3})

    def test_a_search_ends_at_its_limits(self):
        whole = Selection(since=START, until=START + 100 * HOUR)
        for limits in ({"most_rows": 3}, {"stop": lambda: True}):
            with self.subTest(limits=limits), self.assertRaises(UnfinishedSearch):
                find_rows(whole, **limits)
        with mock.patch.object(search, "SCANNED_ENTRIES", 2), self.assertRaises(UnfinishedSearch):
            find_rows(whole, most_ranges=3)
        self.assertEqual(len(find_rows(whole, most_rows=4, most_ranges=2)), 4)

    def test_request_ids_and_reasons_are_compared_exactly(self):
        # MySQL ignores case.
        (one,) = StudentModuleHistory.objects.filter(student_module_id=3, version=2)
        self.assertTrue(Selection(request_id="Job").includes(one.as_version()))
        for other in ("job", "Job "):
            self.assertFalse(Selection(request_id=other).includes(one.as_version()))


class TypedCriteria(TestCase):
    databases = {"default", "student_module_history"}

    def test_all(self):
        user = UserFactory(username="amara", email="amara@example.com")
        selection = selection_from(
            {
                "course": "https://example.org/courses/course-v1:Org+Course+Run/course/",
                "block": str(usage("block")),
                "block_type": " problem ",
                "actor": "amara",
                "request_id": "job-17",
                "recorded_reason": " padded ",
                "since": "2026-01-31T22:00Z",
                "until": "2026-02-01",
            }
        )
        self.assertEqual((selection.course, selection.block, selection.block_type), (COURSE, usage("block"), "problem"))
        self.assertEqual((selection.actor_id, selection.request_id), (user.pk, "job-17"))
        self.assertEqual(selection.reason, " padded ")
        self.assertEqual((selection.since, selection.until), (START, datetime(2026, 2, 2, tzinfo=UTC)))

    def test_actors(self):
        user = UserFactory(username="amara", email="a@example.com")
        UserFactory(email="twice@example.com")
        UserFactory(email="twice@example.com")
        for text in ("amara", "a@example.com", f"id:{user.pk}"):
            self.assertEqual(selection_from({"actor": text}).actor_id, user.pk)
        for text in ("absent", "twice@example.com", "id:x", "id:99999999999999999999"):
            with self.subTest(text=text), self.assertRaises(UnusableSelection):
                selection_from({"actor": text})

    def test_hostile_texts_are_refused_or_select_by_the_exact_text(self):
        texts = [text for text in STATES.values() if text and len(text) < 10_000] + ["\0", "\ud800", "' OR 1=1 --"]
        for name in CRITERIA:
            for text in texts:
                with self.subTest(name=name, text=text[:40]):
                    try:
                        find_rows(selection_from({"since": "2026-01-01", "until": "2026-01-02", name: text}))
                    except UnusableSelection as error:
                        self.assertTrue(str(error))

    def test_the_command_is_quoted_for_a_shell(self):
        command = command_line({"recorded_reason": "it's; rm -rf /", "course": str(COURSE), "until": " "}, "--dry-run")
        quoted = """--course=course-v1:Org+Course+Run '--recorded-reason=it'"'"'s; rm -rf /' --dry-run"""
        self.assertEqual(command, f"manage.py restore_history {quoted}")
