"""Learners with answers, a script that harms them, and a repair.

TransactionTestCase, because only committed transactions have ids, and a repair writes each row in its own transaction.
"""

import json

from django.test import TransactionTestCase

from history.api import Selection, change_context, repair, timeline
from kvstore.api import DjangoXBlockUserStateClient, set_score
from kvstore.models import StudentModule
from kvstore.testing import UserFactory
from tests.kvstore.cache.blocks import usage

BLOCK = usage("block")
HISTORY = "student_module_history"
JOB = "job-17"
HARM = Selection(request_id=JOB)


def harmed(request_id=JOB):
    """Record the writes inside as those of the script."""
    return change_context(request_id=request_id, reason="nightly script")


class IncidentTestCase(TransactionTestCase):
    databases = {"default", HISTORY}

    def setUp(self):
        self.user = UserFactory(username="amara")
        self.client_of_all = DjangoXBlockUserStateClient()

    def set(self, name="amara", block=BLOCK, **fields):
        self.client_of_all.set(name, block, fields)

    def delete(self, *names, block=BLOCK):
        self.client_of_all.delete("amara", block, fields=names or None)

    def score(self, grade, block=BLOCK, user=None):
        set_score((user or self.user).pk, block, grade, None if grade is None else 10)

    def row(self, block=BLOCK, name="amara"):
        return StudentModule.objects.get(student__username=name, module_state_key=block)

    def fields(self, block=BLOCK, name="amara"):
        state = self.row(block, name).state
        return None if state is None else json.loads(state)

    def repair(self, selection=HARM, **options):
        """Repair, and return the result of each row."""
        self.rows = []
        self.progress = repair(selection, report=self.rows.append, **{"reason": "undo the script"} | options)
        return [str(row.result) for row in self.rows]

    def undo(self, repair_id=None):
        return self.repair(Selection(request_id=repair_id or self.progress.repair_id), reason="undo the repair")

    def versions(self, block=BLOCK):
        """Return the versions of the timeline, newest first."""
        return [entry.version for entry in timeline(self.user, block)]
