"""The delivery as a task of Django's task framework, and the error where the framework is missing.

TransactionTestCase: the outages are real, and delivery commits on two databases.
"""

import sys
from importlib.util import find_spec, module_from_spec
from unittest import mock, skipUnless

from django.core.exceptions import ImproperlyConfigured
from django.test import SimpleTestCase, TransactionTestCase
from django.utils.module_loading import import_string

from history import tasks
from history.models import PendingHistory
from kvstore.api import DjangoXBlockUserStateClient
from kvstore.testing import UserFactory
from tests.history.outages import history_outage, history_refuses
from tests.kvstore.cache.blocks import usage


@skipUnless(tasks.task, "neither django.tasks (Django 6.0) nor the package django-tasks is installed")
class DeliveryTask(TransactionTestCase):
    databases = {"default", "student_module_history"}

    def setUp(self):
        self.user = UserFactory()

    def leave_pending(self, *values):
        for value in values:
            DjangoXBlockUserStateClient(self.user).set(self.user.username, usage("block"), {"a": value})

    def test_a_worker_finds_the_task_by_its_path(self):
        self.assertIs(import_string(tasks.deliver_pending.module_path), tasks.deliver_pending)

    def test_an_enqueued_task_delivers(self):
        with history_outage():
            self.leave_pending(1, 2)
        result = tasks.deliver_pending.enqueue()
        self.assertEqual(result.status, "SUCCESSFUL")
        self.assertEqual(result.return_value, {"delivered": 2, "refused": 0})
        self.assertFalse(PendingHistory.objects.exists())

    def test_a_refused_entry_is_a_result(self):
        with history_refuses(""):
            with history_outage():
                self.leave_pending(1)
            self.assertEqual(tasks.deliver_pending.enqueue().return_value, {"delivered": 0, "refused": 1})

    def test_a_task_fails_during_an_outage_and_can_be_repeated(self):
        with history_outage():
            self.leave_pending(1)
            result = tasks.deliver_pending.enqueue()
            self.assertEqual(result.status, "FAILED")
            self.assertEqual(result.errors[0].exception_class_path, "history.exceptions.HistoryUnavailable")
            self.assertEqual(PendingHistory.objects.count(), 1)
        self.assertEqual(tasks.deliver_pending.enqueue().return_value["delivered"], 1)


class MissingFramework(SimpleTestCase):
    def test_the_module_is_imported_and_the_task_raises_an_error_with_the_remedy(self):
        spec = find_spec("history.tasks")
        module = module_from_spec(spec)
        with mock.patch.dict(sys.modules, dict.fromkeys(tasks.FRAMEWORKS)):
            spec.loader.exec_module(module)
        with self.assertRaisesRegex(ImproperlyConfigured, "needs django.tasks.*Django 6.0.*django-tasks.*--watch"):
            module.deliver_pending  # noqa: B018  the access is the test
        with self.assertRaisesRegex(AttributeError, "no attribute 'absent'"):
            module.absent  # noqa: B018  the access is the test
