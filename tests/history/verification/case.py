"""Rows with entries that tests of seals use.

TransactionTestCase, because entries are delivered and erased when their transactions commit.
"""

import tempfile
from pathlib import Path

from django.test import TransactionTestCase

from history.reading.scan import delivered
from kvstore.api import DjangoXBlockUserStateClient
from kvstore.models import StudentModule
from kvstore.testing import UserFactory
from tests.history.verification.sealing import seal_into, verify_history
from tests.kvstore.cache.blocks import usage


class SealTestCase(TransactionTestCase):
    databases = {"default", "student_module_history"}

    def setUp(self):
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.path = folder / "seal.jsonl"
        self.user = UserFactory()
        self.client = DjangoXBlockUserStateClient(self.user)
        for value in range(1, 6):
            self.set("tides", value)
        self.set("rivers", 1)
        self.set("lakes", 1)
        self.set("html", 1, block_type="html")
        self.tides, self.rivers, self.lakes = map(self.row, ("tides", "rivers", "lakes"))

    def set(self, name, value, block_type="problem"):
        self.client.set(self.user.username, usage(name, block_type), {"a": value})

    def row(self, name):
        return StudentModule.objects.get(module_state_key=usage(name))

    def entries(self, row, *versions):
        """Return delivered entries of a row, without the guards against changing them."""
        chosen = delivered().filter(student_module_id=row.pk)
        return chosen.filter(version__in=versions) if versions else chosen

    def seal(self, **options):
        return seal_into(self.path, **options)

    def verify(self, **options):
        return verify_history(sealed=str(self.path), **options)

    def assert_unchanged(self, rows, entries, **options):
        report = self.verify(**options)
        self.assertEqual((report.code, report.problems, report.error), (0, [], ""))
        self.assertEqual((report.sums["rows"], report.sums["entries"]), (rows, entries))
        return report

    def assert_found(self, *problems, **options):
        report = self.verify(**options)
        self.assertEqual((report.code, report.problems), (1, list(problems)))
        self.assertIn(f"The output names {len(problems)} problems", report.error)
        return report
