"""Every version of a recorded block type has one entry, for every way to write it."""

import json

from django.test import TestCase, override_settings

from history.api import change_context, timeline
from history.models import PendingHistory, StudentModuleHistory
from kvstore.api import DjangoXBlockUserStateClient, set_score
from kvstore.keys import block_address
from kvstore.models import StudentModule
from kvstore.signals import RESTORED
from kvstore.storage.changes import set_fields
from kvstore.storage.writing import write_states
from kvstore.testing import StudentModuleFactory, UserFactory, assert_queries
from tests.history.outages import rolled_back
from tests.kvstore.cache.blocks import usage

HISTORY = "student_module_history"
COPIED = ("student_id", "course_id", "module_state_key", "module_type", "state", "grade", "max_grade")


class OneEntryForEachVersion(TestCase):
    databases = {"default", HISTORY}

    @classmethod
    def setUpTestData(cls):
        cls.user, cls.teacher = UserFactory(), UserFactory()

    def setUp(self):
        self.client = DjangoXBlockUserStateClient(self.user)
        self.block = usage("block")

    def row(self, usage_key=None):
        return StudentModule.objects.get(student=self.user, module_state_key=usage_key or self.block)

    def test_every_way_to_write(self):
        ways = {
            "client.set": lambda: self.client.set(self.user.username, self.block, {"answer": 1}),
            "client.set_many": lambda: self.client.set_many(self.user.username, {self.block: {"other": 2}}),
            "set_score": lambda: set_score(self.user.pk, self.block, 1, 2),
            "save": self.save_a_grade,
            "client.delete of a field": lambda: self.client.delete(self.user.username, self.block, fields=["other"]),
            "client.delete": lambda: self.client.delete(self.user.username, self.block),
            "client.set again": lambda: self.client.set(self.user.username, self.block, {"answer": 3}),
        }
        for version, (way, write) in enumerate(ways.items(), start=1):
            with self.subTest(way):
                with change_context(actor=self.teacher, reason=way, request_id=f"request-{version}"):
                    write()
                row = self.row()
                self.assertEqual(row.version, version)
                entry = StudentModuleHistory.objects.get(student_module_id=row.pk, version=version)
                self.assertEqual({name: getattr(entry, name) for name in COPIED}, {n: getattr(row, n) for n in COPIED})
                self.assertEqual(entry.created, row.modified)
                self.assertEqual(entry.action, "created" if version == 1 else "changed")
                self.assertEqual(entry.actor_id, self.teacher.pk)
                self.assertEqual((entry.reason, entry.request_id), (way, f"request-{version}"))
        self.assertEqual(StudentModuleHistory.objects.count(), len(ways))

    def save_a_grade(self):
        row = self.row()
        row.grade = 2.0
        row.save()

    def test_the_deletion_of_a_row_is_a_version_without_state(self):
        row = StudentModuleFactory(student=self.user, module_state_key=self.block, state='{"answer": 1}', grade=1.0)
        row_id = row.pk
        with change_context(actor=self.teacher, reason="withdrawn"):
            row.delete()
        # It commits with the deletion, and is delivered when that is committed.
        entry = PendingHistory.objects.get(student_module_id=row_id, version=2)
        self.assertEqual((entry.action, entry.state, entry.grade, entry.max_grade), ("deleted", None, None, None))
        self.assertEqual((entry.student_id, entry.module_state_key), (self.user.pk, self.block))
        self.assertEqual((entry.actor_id, entry.reason), (self.teacher.pk, "withdrawn"))

    def test_deleting_a_learner_records_the_end_of_each_row(self):
        leaver = UserFactory()
        leaver_id = leaver.pk
        for name in ("one", "two"):
            StudentModuleFactory(student=leaver, module_state_key=usage(name))
        leaver.delete()
        ended = PendingHistory.objects.filter(student_id=leaver_id, action="deleted")
        self.assertEqual({entry.module_state_key for entry in ended}, {usage("one"), usage("two")})

    def test_rows_made_in_bulk_are_recorded_each(self):
        rows = [StudentModuleFactory.build(student=self.user, module_state_key=usage(n)) for n in ("one", "two")]
        with assert_queries(default=3, student_module_history=1):
            StudentModule.objects.bulk_create(rows)
        entries = StudentModuleHistory.objects.values_list("student_module_id", "version", "action")
        self.assertCountEqual(entries, [(row.pk, 1, "created") for row in rows])

    def test_a_writer_may_name_the_action(self):
        addresses = [block_address(usage(name)) for name in ("block", "new")]
        self.client.set(self.user.username, self.block, {"answer": 1})
        again = dict.fromkeys(addresses, set_fields({"answer": 2}))
        write_states(self.user.pk, again, create=True, action=RESTORED)
        actions = StudentModuleHistory.objects.order_by("student_module_id", "version").values_list("action", flat=True)
        self.assertEqual(list(actions), ["created", "restored", "restored"])

    def test_writing_the_stored_values_makes_no_version(self):
        for _ in range(2):
            self.client.set(self.user.username, self.block, {"answer": 1})
        self.assertEqual(StudentModuleHistory.objects.count(), 1)

    def test_without_a_context_an_entry_has_no_actor(self):
        self.client.set(self.user.username, self.block, {"answer": 1})
        entry = StudentModuleHistory.objects.get()
        self.assertEqual((entry.actor_id, entry.reason, entry.request_id), (None, "", ""))

    def test_text_of_any_kind_is_kept(self):
        for state in ({"emoji": "🌊 näïve \u2028"}, {"nul": "\0", "surrogate": "\ud800"}, {"long": "x" * 200_000}):
            with self.subTest(state=list(state)):
                self.client.set(self.user.username, self.block, state)
                newest = next(timeline(self.user, self.block))
                self.assertLessEqual(state.items(), json.loads(newest.state).items())


class RecordedTypes(TestCase):
    databases = {"default", HISTORY}

    def test_the_setting_selects_the_recorded_types(self):
        user = UserFactory()
        client = DjangoXBlockUserStateClient(user)
        keys = {name: usage("block", name) for name in ("problem", "video", "Problem")}
        for number, (setting, recorded) in enumerate(
            (
                ({}, {"problem"}),
                ({"HISTORY_BLOCK_TYPES": ["video"]}, {"video"}),
                ({"HISTORY_BLOCK_TYPES": {"problem", "video"}}, {"problem", "video"}),
                ({"HISTORY_BLOCK_TYPES": "*"}, set(keys)),
                ({"HISTORY_BLOCK_TYPES": ["*"]}, set(keys)),
                ({"HISTORY_BLOCK_TYPES": []}, set()),
            )
        ):
            with self.subTest(setting=setting), override_settings(**setting):
                before = set(StudentModuleHistory.objects.values_list("student_module_id", "version"))
                client.set_many(user.username, {key: {"number": number} for key in keys.values()})
                now = StudentModuleHistory.objects.values_list("student_module_id", "version", "module_type")
                self.assertEqual({kind for *version, kind in now if tuple(version) not in before}, recorded)


class Phantoms(TestCase):
    """An inner transaction that rolls back leaves its entries, because they commit independently."""

    databases = {"default", HISTORY}

    def test_the_real_version_is_stored_beside_an_unchanged_phantom(self):
        row = StudentModuleFactory(module_state_key=usage("block"), state='{"answer": 0}')
        with rolled_back(), change_context(actor=row.student, reason="phantom", request_id="phantom"):
            set_score(row.student_id, row.module_state_key, 9, 9)
        (phantom,) = StudentModuleHistory.objects.filter(version=2)
        self.assertEqual((phantom.grade, phantom.reason), (9, "phantom"))
        set_score(row.student_id, row.module_state_key, 1, 1)
        (entry,) = StudentModuleHistory.objects.filter(version=2).exclude(pk=phantom.pk)
        self.assertEqual(StudentModuleHistory.objects.get(pk=phantom.pk).as_version(), phantom.as_version())
        self.assertEqual(entry.previous, phantom.previous)
        row.refresh_from_db()
        self.assertEqual({name: getattr(entry, name) for name in COPIED}, {name: getattr(row, name) for name in COPIED})
        self.assertEqual((entry.action, entry.actor_id, entry.reason), ("changed", None, ""))
        self.assertEqual((entry.request_id, entry.created), ("", row.modified))
