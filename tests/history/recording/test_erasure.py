"""With HISTORY_ON_DELETE = 'erase', the entries of a deleted row are erased when its deletion commits."""

from django.db import transaction
from django.test import TransactionTestCase, override_settings

from history.api import deliver, timeline
from history.models import PendingHistory, StudentModuleHistory
from kvstore.api import DjangoXBlockUserStateClient
from kvstore.models import StudentModule
from kvstore.testing import UserFactory
from tests.history.commands import run_command
from tests.history.outages import history_outage
from tests.kvstore.cache.blocks import usage


@override_settings(HISTORY_ON_DELETE="erase")
class Erasure(TransactionTestCase):
    """TransactionTestCase, because entries are erased when the deletion is committed."""

    databases = {"default", "student_module_history"}

    def setUp(self):
        self.user = UserFactory()
        DjangoXBlockUserStateClient(self.user).set(self.user.username, usage("block"), {"a": 1})

    def test_entries_are_erased_once_the_deletion_is_committed(self):
        StudentModule.objects.get().delete()
        self.assertFalse(StudentModuleHistory.objects.exists())
        self.assertEqual(list(timeline(self.user, usage("block"))), [])

    def test_a_deletion_that_is_rolled_back_erases_nothing(self):
        with self.assertRaises(ZeroDivisionError), transaction.atomic():
            StudentModule.objects.get().delete()
            raise ZeroDivisionError
        self.assertEqual([entry.action for entry in timeline(self.user, usage("block"))], ["created"])

    def test_an_outage_leaves_the_entries_to_the_repair(self):
        with history_outage():
            StudentModule.objects.get().delete()
        self.assertEqual(PendingHistory.objects.get().action, "deleted")
        deliver()
        self.assertEqual(StudentModuleHistory.objects.count(), 2)
        self.assertEqual(run_command("verify_history", repair=True).code, 0)
        self.assertFalse(StudentModuleHistory.objects.exists())
