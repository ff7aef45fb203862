"""``manage.py learner_history``: a timeline as lines or as JSON, or the reason why there is none.

TransactionTestCase where the history database is really away; everything else is rolled back.
"""

import hashlib
import io
import json
import tempfile
import zipfile
from datetime import timedelta
from pathlib import Path

from django.core.management import CommandError, call_command
from django.test import TestCase, TransactionTestCase, override_settings
from opaque_keys.edx.keys import CourseKey, UsageKey

from history.api import change_context, timeline
from history.export import sha256_of
from history.models import PendingHistory
from kvstore.api import DjangoXBlockUserStateClient, set_score
from kvstore.testing import UserFactory, assert_queries
from tests.history.entries import entry, store_chain
from tests.history.hostile import ANSI, BIDI, SCRIPT, STATES, WIDE
from tests.history.outages import alias_missing, history_outage
from tests.kvstore.cache.blocks import usage

BLOCK = usage("tides")


def printed(*arguments, **options):
    """Return the output of the command."""
    output = io.StringIO()
    call_command("learner_history", *map(str, arguments), stdout=output, **options)
    return output.getvalue()


def in_words(usage_key, fields):
    return {"a": "At noon"}.get(fields["answer"])


class CommandTestCase(TestCase):
    databases = {"default", "student_module_history"}

    @classmethod
    def setUpTestData(cls):
        cls.user = UserFactory(username="mara", email="mara@example.com")
        cls.staff = UserFactory(username="staff")

    def set(self, usage_key=BLOCK, **fields):
        DjangoXBlockUserStateClient(self.user).set(self.user.username, usage_key, fields)

    def assert_refused(self, message, *arguments, **options):
        with self.assertRaisesRegex(CommandError, message) as refused:
            printed(*arguments, **options)
        self.assertTrue(str(refused.exception).isprintable())


class Printed(CommandTestCase):
    def test_actor_action_time_reason_and_changes(self):
        with change_context(actor=self.user, request_id="first"):
            self.set(student_answers={"x_1": "a", "x_2": ["b"]}, attempts=1)
            set_score(self.user.pk, BLOCK, 2, 2)
        with change_context(actor=self.staff, reason="reset after complaint", request_id="second"):
            self.set(student_answers={}, attempts=0, seed=1)
            set_score(self.user.pk, BLOCK, 1, 2)
        newest, reset, *_older = (version.created.strftime("%Y-%m-%d %H:%M:%S.%f UTC") for version in self.timeline())
        lines = printed("mara", BLOCK).splitlines()
        self.assertEqual(lines[:3], [f"mara (id:{self.user.pk})", str(BLOCK), str(BLOCK.course_key)])
        self.assertEqual(
            lines[4:21],
            [
                f"version 4  changed  {newest}",
                f"  by staff (id:{self.staff.pk})",
                "  reason: reset after complaint",
                "  request second",
                "  grade 2/2 -> 1/2",
                "  ! grade decreased",
                "",
                f"version 3  changed  {reset}",
                f"  by staff (id:{self.staff.pk})",
                "  reason: reset after complaint",
                "  request second",
                "  grade 2/2",
                "  ! answers emptied, attempts decreased, same second",
                "  ~ attempts: 1 -> 0",
                "  + seed: 1",
                '  - student_answers.x_1: "a"',
                '  - student_answers.x_2: ["b"]',
            ],
        )

    def timeline(self):
        return [*timeline(self.user, BLOCK)]

    def test_the_answer_in_words_where_it_changed(self):
        formatters = {"problem": f"{__name__}.in_words"}
        self.set(answer="a")
        self.set(answer="a", attempts=1)
        self.set(answer="b")
        with override_settings(HISTORY_ANSWER_FORMATTERS=formatters):
            lines = [line for line in printed("mara", BLOCK).splitlines() if line.startswith("  answer")]
        self.assertEqual(lines, ["  answer At noon -> -", "  answer - -> At noon"])

    def test_a_user_by_name_address_or_id(self):
        self.set(a=1)
        expected = printed("mara", BLOCK)
        self.assertEqual(printed("mara@example.com", BLOCK), expected)
        self.assertEqual(printed(f"id:{self.user.pk}", BLOCK), expected)

    def test_a_block_by_key_or_by_url(self):
        self.set(a=1)
        expected = printed("mara", BLOCK)
        for url in (
            f"https://learn.example/courses/{BLOCK.course_key}/jump_to/{BLOCK}?x=1#y",
            f"https://learn.example/xblock/{str(BLOCK).replace('+', '%2B').replace('@', '%40')}",
            f"https://learn.example/learning/course/{BLOCK.course_key}/{usage('unit', 'vertical')}/{BLOCK}",
        ):
            with self.subTest(url):
                self.assertEqual(printed("mara", url), expected)

    def test_a_key_of_the_old_form_with_its_course(self):
        key, course = UsageKey.from_string("i4x://Org/Course/problem/old"), "Org/Course/Run"
        self.set(key.map_into_course(CourseKey.from_string(course)), a=1)
        self.assertIn("  + a: 1", printed("mara", key, course=course))
        self.assert_refused("--course", "mara", key)

    def test_a_deleted_user_and_row(self):
        self.set(a=1)
        pk = self.user.pk
        self.user.delete()
        output = printed(f"id:{pk}", BLOCK)
        self.assertIn(f"a deleted user (id:{pk})", output)
        self.assertIn("version 2  deleted", output)
        self.assertIn("! row deleted", output)
        self.assert_refused("id:NUMBER", "mara", BLOCK)

    def test_pending_versions_are_flagged(self):
        with alias_missing():
            self.set(a=1)
        self.assertEqual(PendingHistory.objects.count(), 1)
        self.assertIn("! pending", printed("mara", BLOCK))

    def test_as_many_versions_as_asked_for(self):
        for answer in range(4):
            self.set(a=answer)
        output = printed("mara", BLOCK, limit=2)
        self.assertEqual(output.count("\nversion "), 2)
        self.assertIn("  ~ a: 1 -> 2", output)
        self.assertIn("Versions from 2 down are not printed", output)
        for limit in (4, 0):
            whole = printed("mara", BLOCK, limit=limit)
            self.assertEqual((whole.count("\nversion "), whole.count("not printed")), (4, 0))
        self.assertEqual(len(printed("mara", BLOCK, limit=2, json=True).splitlines()), 2)

    def test_more_changes_than_are_shown(self):
        self.set(**{f"field{number}": number for number in range(9)})
        self.assertIn("  + field4: 4\n  and 4 more changes\n", printed("mara", BLOCK))

    def test_states_in_full(self):
        self.set(essay="tide " * 100)
        (found,) = self.timeline()
        output = printed("mara", BLOCK, state=True)
        self.assertIn(found.state.replace(" ", ""), "".join(output.split()))
        self.assertIn(sha256_of(found.state)[:40], output)

    def test_the_state_as_of_a_moment(self):
        columns = {"student_id": self.user.pk, "course_id": BLOCK.course_key, "module_state_key": BLOCK}
        entry(1, '{"a":"before"}', **columns).save()
        entry(2, '{"a":"after"}', **columns).save()
        entry(3, None, action="deleted", **columns).save()
        for version in self.timeline():
            for moment in (version.created, version.created + timedelta(minutes=59)):
                output = printed("mara", BLOCK, "--at", moment.isoformat())
                self.assertEqual(output.count("\nversion "), 1)
                self.assertIn(f"version {version.version}  ", output)
                self.assertIn(f"    {version.state}" if version.state else "no state", output)
                self.assertNotIn("not printed", output)
                (line,) = printed("mara", BLOCK, at=moment, json=True).splitlines()
                self.assertEqual(json.loads(line)["state"], version.state)
        # A day is its beginning, here and in UTC.
        self.assert_refused("until 2026-01-31 00:00:00 UTC", "mara", BLOCK, "--at", "2026-01-31")
        self.assertIn("version 3  ", printed("mara", BLOCK, "--at", "2026-02-01"))

    def test_moments_that_are_none(self):
        self.set(a=1)
        for text in ("yesterday", "2026-02-30", "2026-01-31T25:00", "9" * 500, "0001-01-01T00:00:00+23:59"):
            with self.subTest(text), self.assertRaises(CommandError):
                call_command("learner_history", "mara", str(BLOCK), "--at", text, stdout=io.StringIO())

    def test_a_query_for_each_user_and_none_for_each_version(self):
        for number in range(6):
            with change_context(actor=self.staff if number % 2 else self.user):
                self.set(a=number)
        with assert_queries(default=5, student_module_history=1):
            printed("mara", BLOCK)


class Evidence(CommandTestCase):
    def setUp(self):
        self.path = Path(self.enterContext(tempfile.TemporaryDirectory()), "evidence.zip")

    def test_a_file_with_all_versions(self):
        for answer in ("a", "b"):
            self.set(answer=answer)
        line = printed("mara", BLOCK, evidence=str(self.path), limit=1)
        with zipfile.ZipFile(self.path) as archive:
            manifest = archive.read("manifest.json")
        self.assertEqual(line, f"2 versions; SHA-256 of the manifest: {hashlib.sha256(manifest).hexdigest()}\n")
        self.assertIsNone(json.loads(manifest)["exported_by"])

    def test_a_file_that_exists_is_kept(self):
        self.set(answer="a")
        self.path.write_text("kept", encoding="utf-8")
        self.assert_refused("File exists", "mara", BLOCK, evidence=str(self.path))
        self.assertEqual(self.path.read_text(encoding="utf-8"), "kept")

    def test_no_file_remains_of_an_export_that_fails(self):
        self.assert_refused("has no history for mara", "mara", BLOCK, evidence=str(self.path))
        self.assertFalse(self.path.exists())
        self.set(answer="a")
        with alias_missing():
            self.assert_refused("cannot be read.*history_health", "mara", BLOCK, evidence=str(self.path))
        self.assertFalse(self.path.exists())
        self.assert_refused("No such file", "mara", BLOCK, evidence=str(self.path / "x.zip"))


class NothingToPrint(CommandTestCase):
    def test_no_such_user(self):
        for text in ("nobody", "nobody@example.com", "id:x", "id:", f"id:{2**63}", f"id:{'9' * 5000}", ANSI, SCRIPT):
            with self.subTest(text):
                self.assert_refused("user", text, BLOCK)

    def test_an_address_that_several_have(self):
        twins = [UserFactory(email="twin@example.com") for _ in range(2)]
        self.assert_refused(f"id:{twins[0].pk}, id:{twins[1].pk}", "twin@example.com", BLOCK)

    def test_no_such_block(self):
        for text in ("tides", "", "https://learn.example/", ANSI, "x://" + "/" * 100_000, str(BLOCK.course_key)):
            with self.subTest(text[:100]):
                self.assert_refused("UsageKey", "mara", text)
        self.assert_refused("LearningContextKey", "mara", BLOCK, course="no course")

    def test_no_history(self):
        self.assert_refused("has no history for mara", "mara", BLOCK)
        self.assert_refused("has no history for a deleted user", "id:999999999", BLOCK)

    def test_a_type_that_is_not_recorded(self):
        self.assert_refused("'video' are not recorded.*HISTORY_BLOCK_TYPES", "mara", usage("film", "video"))
        # Entries recorded before still exist.
        self.set(a=1)
        with override_settings(HISTORY_BLOCK_TYPES=()):
            self.assertIn("+ a: 1", printed("mara", BLOCK))

    def test_the_history_database_is_not_configured(self):
        self.set(a=1)
        with alias_missing():
            self.assert_refused("absent.*cannot be read.*history_health", "mara", BLOCK)


class HistoryAway(TransactionTestCase):
    databases = {"default", "student_module_history"}

    def test_the_command_reports_the_outage(self):
        user = UserFactory()
        DjangoXBlockUserStateClient(user).set(user.username, BLOCK, {"a": 1})
        with history_outage(), self.assertRaisesRegex(CommandError, "cannot be read") as refused:
            printed(user.username, BLOCK)
        self.assertEqual(refused.exception.returncode, 1)
        self.assertEqual(len(str(refused.exception).splitlines()), 1)


class Json(CommandTestCase):
    def test_a_record_with_flags_and_changes(self):
        self.set(student_answers={"x": "a"}, big="b" * 1000)
        with change_context(actor=self.staff, reason="reset"):
            self.set(student_answers={})
        newest, oldest = map(json.loads, printed("mara", BLOCK, json=True).splitlines())
        self.assertEqual((newest["version"], newest["actor_id"], newest["reason"]), (2, self.staff.pk, "reset"))
        self.assertEqual(newest["flags"], ["answers-emptied", "same-second"])
        change = {"path": ["student_answers", "x"], "kind": "removed", "old": '"a"', "new": ""}
        self.assertEqual((newest["changes"], newest["change_count"]), ([change], 1))
        self.assertEqual(newest["state_sha256"], sha256_of(newest["state"]))
        self.assertEqual([change["path"] for change in oldest["changes"]], [["big"], ["student_answers"]])
        self.assertIn("1002 characters", oldest["changes"][0]["new"])


class HostileTimelines(CommandTestCase):
    """Every hostile state, by hostile users for hostile reasons."""

    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        cls.hostile = UserFactory(username=f"{WIDE[:20]}{BIDI}{ANSI}"[:150])
        states = [*STATES.values(), None]
        columns = {"student_id": cls.user.pk, "course_id": BLOCK.course_key, "module_state_key": BLOCK}
        reasons = [ANSI, BIDI, SCRIPT, WIDE, "x" * 255]
        store_chain(
            entry(
                *(version, state),
                **columns,
                **{"actor_id": cls.hostile.pk, "reason": reasons[version % 5], "grade": 1e308, "max_grade": -0.0},
                **{"request_id": "\x1b]0;x\x07" * 9, "action": "deleted" if version == len(states) else "changed"},
            )
            for version, state in enumerate(states, 1)
        )

    def test_no_control_characters(self):
        output = printed("mara", BLOCK, limit=0, state=True)
        self.assertEqual(output.count("\nversion "), len(STATES) + 1)
        for line in output.splitlines():
            self.assertTrue(line.isprintable(), line)
        self.assertNotIn("\x1b", output)

    def test_an_ascii_terminal(self):
        raw = io.BytesIO()
        output = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
        call_command("learner_history", "mara", str(BLOCK), stdout=output, limit=0)
        self.assertTrue(raw.getvalue().isascii())
        self.assertIn(b"\\u6f6e", raw.getvalue())

    def test_json_has_every_state_as_it_is_stored(self):
        lines = printed("mara", BLOCK, limit=0, json=True).splitlines()
        found = [json.loads(line)["state"] for line in lines]
        self.assertTrue(all(line.isascii() for line in lines))
        self.assertEqual(found[::-1], [*STATES.values(), None])
