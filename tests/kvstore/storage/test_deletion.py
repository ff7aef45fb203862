"""A deleted row leaves a version with the action `deleted`, and all its earlier versions, in the history."""

from django.db import DatabaseError
from django.test import TestCase
from django.test.utils import isolate_apps

from history.api import timeline
from kvstore.api import DjangoXBlockUserStateClient
from kvstore.models import StudentModule
from kvstore.signals import state_written
from kvstore.testing import StudentModuleFactory, UserFactory
from tests.kvstore.cache.blocks import usage


class Deletion(TestCase):
    """Everything rolls back on both aliases."""

    databases = {"default", "student_module_history"}

    @classmethod
    def setUpTestData(cls):
        cls.user = UserFactory()
        cls.keys = [usage("first"), usage("second")]
        for key in cls.keys:
            StudentModuleFactory(student=cls.user, module_state_key=key, state='{"a":1}', grade=1.0)

    def loaded(self, key=None):
        return StudentModule.objects.get(module_state_key=key or self.keys[0])

    def history(self, key=None, learner_id=None):
        entries = timeline(learner_id or self.user.pk, key or self.keys[0])
        return [(entry.version, entry.action, entry.state, entry.grade) for entry in entries]

    def test_every_way_to_delete_leaves_a_version_more(self):
        for delete in (
            lambda: [row.delete() for row in StudentModule.objects.all()],
            lambda: StudentModule.objects.filter(student=self.user).delete(),
            lambda: StudentModule.objects.only("id").get(module_state_key=self.keys[0]).delete(),
            lambda: StudentModule.objects.defer("state", "course_id").delete(),
        ):
            before = self.history()
            row_id = self.loaded().pk
            delete()
            self.assertFalse(StudentModule.objects.filter(pk=row_id).exists())
            newest, *rest = self.history()
            self.assertEqual((newest[1:], rest), (("deleted", None, None), before))
            self.assertEqual(newest[0], before[0][0] + 1)
            StudentModule.objects.all().delete()
            DjangoXBlockUserStateClient().set_many(self.user.username, {key: {"a": 2} for key in self.keys})

    def test_a_row_deleted_through_a_proxy_model_leaves_a_version_more(self):
        # Also a proxy model that is defined after the app is ready.
        with isolate_apps("kvstore"):

            class Proxy(StudentModule):
                class Meta:
                    proxy = True
                    app_label = "xblock_kvstore"

        Proxy.objects.get(module_state_key=self.keys[0]).delete()
        Proxy.objects.filter(module_state_key=self.keys[1]).delete()
        self.assertFalse(StudentModule.objects.exists())
        for key in self.keys:
            self.assertEqual([entry[:2] for entry in self.history(key)], [(2, "deleted"), (1, "created")])

    def test_the_rows_of_a_deleted_learner_leave_their_history(self):
        learner_id = self.user.pk
        self.user.delete()
        self.assertFalse(StudentModule.objects.exists())
        for key in self.keys:
            expected = [(2, "deleted", None, None), (1, "created", '{"a":1}', 1.0)]
            self.assertEqual(self.history(key, learner_id), expected)

    def test_the_last_version_is_the_one_stored_not_the_one_loaded(self):
        stale = self.loaded()
        DjangoXBlockUserStateClient().set(self.user.username, self.keys[0], {"b": 2})
        stale.delete()
        self.assertEqual([entry[:2] for entry in self.history()], [(3, "deleted"), (2, "changed"), (1, "created")])

    def test_deleting_a_row_that_is_gone_leaves_its_history_alone(self):
        stale = self.loaded()
        DjangoXBlockUserStateClient().set(self.user.username, self.keys[0], {"b": 2})
        self.loaded().delete()
        before = self.history()
        stale.delete()
        self.assertEqual(self.history(), before)

    def test_a_deletion_that_cannot_be_recorded_does_not_happen(self):
        def refuse(**kwargs):
            raise DatabaseError("refused")

        state_written.connect(refuse)
        self.addCleanup(state_written.disconnect, refuse)
        with self.assertRaisesMessage(DatabaseError, "refused"):
            StudentModule.objects.all().delete()

    def test_the_moment_of_the_deletion_follows_that_of_the_last_version(self):
        row = self.loaded()
        row.delete()
        deleted, created = timeline(self.user.pk, self.keys[0])
        self.assertLess(created.created, deleted.created)
