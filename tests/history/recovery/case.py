"""A learner and a block that tests of recovery use, and the recovery.

TransactionTestCase, because only committed transactions have ids, and recovery locks rows and changes sequences.
"""

import json

from django.test import TransactionTestCase

from history.api import Recovery, recover, timeline
from history.reading.scan import delivered
from history.verification.verify import Verification, verify
from kvstore.api import DjangoXBlockUserStateClient
from kvstore.models import StudentModule
from kvstore.testing import UserFactory
from tests.kvstore.cache.blocks import usage

BLOCK = usage("block")


class RecoveryTestCase(TransactionTestCase):
    databases = {"default", "student_module_history"}

    def setUp(self):
        self.user = UserFactory()
        self.client = DjangoXBlockUserStateClient(self.user)

    def set(self, *values, block=BLOCK):
        for value in values:
            self.client.set(self.user.username, block, {"a": value})

    def row(self, block=BLOCK):
        return StudentModule.objects.get(student=self.user, module_state_key=block)

    def recover(self, **options):
        """Recover, and return the result and the versions of each row."""
        self.progress = Recovery(last_id=options.pop("after", 0))
        self.rows = []
        recover(self.progress, self.rows.append, **options)
        return [(str(row.result), row.from_version, row.to_version, row.proved) for row in self.rows]

    def problems(self):
        return [(problem.kind, problem.versions) for problem in verify(Verification())]

    def timeline_values(self, block=BLOCK):
        """Return the field of each version in the timeline, newest first."""
        return [json.loads(entry.state)["a"] if entry.state else None for entry in timeline(self.user, block)]

    def entries(self, **filters):
        return delivered().filter(**filters)
