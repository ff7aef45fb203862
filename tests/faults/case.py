"""The base of the tests of faults: one pair of servers for each class, learners of their own, and the proof at the end.

Plain unittest, because nothing here may touch the test databases of Django's runner, which roll back or are flushed:
the servers are the tests' own, are thrown away, and are PostgreSQL whichever database the rest of the suite runs on.
"""

import time
import unittest
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from unittest import mock

from django.db import connection
from django.db.models import Max
from django.test import override_settings, tag

from history.database.circuit_breaker import breaker
from history.models import PendingHistory, StudentModuleHistory
from history.recording import write_ahead
from kvstore.api import DjangoXBlockUserStateClient
from kvstore.models import StudentModule
from kvstore.testing import UserFactory
from tests.faults.servers.clusters import Cluster
from tests.faults.servers.stage import QUICK, Stage
from tests.faults.writing import Journal, Writer

BLOCKS = [f"block{number}" for number in range(4)]


@tag("faults")
@unittest.skipUnless(connection.vendor == "postgresql", "the servers are PostgreSQL; once is enough")
class FaultCase(unittest.TestCase):
    """Each test writes for learners of its own, then calls :meth:`assert_nothing_lost`."""

    stage_class: type[Stage] = Stage
    stage: Stage

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.stage = cls.stage_class()
        cls.addClassCleanup(cls.stage.close)
        cls.enterClassContext(cls.stage.connected())
        cls.enterClassContext(override_settings(**QUICK))

    def setUp(self):
        self.stage.disconnect()
        breaker.reset()
        rows, entries = StudentModule.objects.aggregate(last=Max("pk")), StudentModuleHistory.objects
        self.last_id = max(rows["last"] or 0, entries.aggregate(last=Max("student_module_id"))["last"] or 0)
        self.folder = Path(mkdtemp(dir=self.stage.folder))
        self.learners = [UserFactory().pk for _ in range(3)]

    @property
    def history(self) -> Cluster:
        return self.stage.history

    def writer(self, number: int = 0, blocks: list[str] = BLOCKS) -> Writer:
        """Return a writer in this process."""
        journal = Journal(self.folder / f"here{number}.journal")
        self.addCleanup(journal.close)
        return Writer(number, journal, self.learners, blocks)

    def start_writers(self, count: int, **arguments):
        """Start writers in their own processes, and wait until each has written."""
        writers = [
            self.stage.write(self.folder, learners=self.learners, blocks=BLOCKS, **arguments) for _ in range(count)
        ]
        self.wait_until(lambda: len([file for file in self.folder.glob("*.journal") if file.stat().st_size]) >= count)
        return writers

    def wait_until(self, condition: Callable[[], bool], seconds: float = 20) -> None:
        end = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), end, "what was waited for did not happen")
            time.sleep(0.01)

    def pending(self) -> int:
        return PendingHistory.objects.count()

    @contextmanager
    def between_state_and_entry(self, happens: Callable[[], object]) -> Iterator[None]:
        """Call a function when the state is written and locked, just before its entry is first sent."""
        write_entries, done = write_ahead.write_entries, []

        def write(entries, **arguments):
            if not done:
                done.append(True)
                happens()
            return write_entries(entries, **arguments)

        with mock.patch.object(write_ahead, "write_entries", write):
            yield
        self.assertTrue(done, "no entry was sent")

    def assert_nothing_lost(self) -> None:
        """Compare, deliver, verify and compare again: the timeline is whole before and after the delivery."""
        self.assert_journals_agree()
        delivery = self.stage.deliver()
        self.assertEqual(delivery.wait(), 0, delivery.output)
        self.assertEqual(self.pending(), 0)
        after = f"--after={self.last_id}"
        code, found = self.stage.verify("--repair", after)
        self.assertEqual(code, 0, found)
        self.assertLessEqual(found[-1]["problems"].keys(), {"phantom"}, found)
        self.assert_journals_agree()

    def assert_journals_agree(self) -> None:
        journals, comparison = self.stage.compare(self.folder)
        self.assertEqual(journals.failed, [])
        self.assertEqual(comparison.problems, {})
        self.assertTrue(comparison.versions, "nothing was written")


def client(learner_id: int) -> DjangoXBlockUserStateClient:
    """Return a client for the state of one learner."""
    from django.contrib.auth import get_user_model

    return DjangoXBlockUserStateClient(get_user_model().objects.get(pk=learner_id))
