"""Concurrent deliveries, and an erasure during one: no entry is lost, left or delivered twice.

TransactionTestCase, because processes and threads must meet each other's locks and committed rows.
"""

import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock, skipIf

from django.db import connection, connections
from django.test import TransactionTestCase, override_settings

from history.api import timeline
from history.models import PendingHistory, StudentModuleHistory
from history.recording import delivery
from kvstore.api import DjangoXBlockUserStateClient
from kvstore.models import StudentModule
from kvstore.testing import UserFactory
from tests.concurrency.writers import run_writers
from tests.history.outages import history_outage
from tests.kvstore.cache.blocks import usage

DELIVERIES = 4
ENTRIES = 400
BATCH_SIZE = 5
PATIENCE = 10
"""seconds"""

WAITS_FOR_LOCK = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity "
    "WHERE wait_event_type = 'Lock' AND datname = current_database()",
    "mysql": "SELECT count(*) FROM information_schema.innodb_trx "
    "JOIN information_schema.processlist ON id = trx_mysql_thread_id WHERE trx_state = 'LOCK WAIT' AND db = DATABASE()",
}
"""the queries that count the sessions blocked by another"""


def deliver_all(number: int, folder: str) -> None:
    """Deliver in small batches, and write down how many entries were taken over."""
    from history.recording import delivery

    delivery.BATCH_SIZE = BATCH_SIZE
    result = delivery.deliver()
    if result.error or result.refused:
        raise AssertionError(f"gave up: {result}")
    Path(folder, str(number)).write_text(str(result.delivered))


class AtOnce(TransactionTestCase):
    databases = {"default", "student_module_history"}

    def test_every_entry_is_delivered_once_and_none_gives_up(self):
        user = UserFactory()
        keys = [usage(f"block{number}") for number in range(ENTRIES)]
        with history_outage():
            DjangoXBlockUserStateClient(user).set_many(user.username, {key: {"a": 1} for key in keys})
        with TemporaryDirectory() as folder:
            run_writers(DELIVERIES, deliver_all, folder)
            delivered = [int(file.read_text()) for file in Path(folder).iterdir()]
        self.assertEqual(sum(delivered), ENTRIES)
        self.assertFalse(PendingHistory.objects.exists())
        rows = StudentModuleHistory.objects.values_list("student_module_id", "version")
        self.assertEqual(sorted(rows), sorted(StudentModule.objects.values_list("pk", "version")))


@skipIf(connection.vendor == "sqlite", "SQLite locks the whole database, so nothing can cross")
@override_settings(HISTORY_ON_DELETE="erase")
class Erasing(TransactionTestCase):
    databases = {"default", "student_module_history"}

    def test_an_erasure_beside_a_delivery_leaves_nothing_of_the_learner(self):
        user, other = UserFactory(), UserFactory()
        with history_outage():
            for learner in (user, other):
                for value in (1, 2):
                    DjangoXBlockUserStateClient(learner).set(learner.username, usage("block"), {"a": value})
        in_hand = threading.Event()
        self.deliver_beside(in_hand)
        self.assertTrue(in_hand.wait(PATIENCE))
        StudentModule.objects.get(student=user).delete()
        self.delivery.join()
        self.assertEqual((self.result.delivered, self.result.error), (4, None))
        for model in (PendingHistory, StudentModuleHistory):
            self.assertFalse(model.objects.filter(student_id=user.pk).exists(), model)
        self.assertEqual(list(timeline(user, usage("block"))), [])
        self.assertEqual([entry.version for entry in timeline(other, usage("block"))], [2, 1])

    def deliver_beside(self, in_hand):
        """Deliver in another thread, which takes a batch in hand and writes it when the erasure is held up by it."""
        write_entries = delivery.write_entries

        def write_when_waited_for(entries):
            in_hand.set()
            self.wait_until_a_session_waits()
            write_entries(entries)

        # One batch: a second one would deliver the entry of the deletion.
        stop = iter([False, True])

        def deliver():
            try:
                with (
                    mock.patch.object(delivery, "write_entries", write_when_waited_for),
                    mock.patch.object(delivery, "BATCH_SIZE", 4),
                ):
                    self.result = delivery.deliver(stop=lambda: next(stop))
            finally:
                connections.close_all()

        self.delivery = threading.Thread(target=deliver)
        self.delivery.start()
        self.addCleanup(self.delivery.join)

    def wait_until_a_session_waits(self):
        asking = connection.copy()
        try:
            with asking.cursor() as cursor:
                end = time.monotonic() + PATIENCE
                while time.monotonic() < end:
                    cursor.execute(WAITS_FOR_LOCK[connection.vendor])
                    if cursor.fetchone()[0]:
                        return
                    # InnoDB refreshes these tables only every 0.1 s.
                    time.sleep(0.15)
        finally:
            asking.close()
        raise AssertionError("no session waited for the delivery")
