"""Repairs in several processes at once, with learners who write, and killed repairs.

TransactionTestCase, because the processes must see each other's committed rows.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest import skipIf

from django.db import connection, connections
from django.test import TransactionTestCase
from opaque_keys.edx.keys import UsageKey

from history.api import Selection, change_context, repair, timeline
from kvstore.api import DjangoXBlockUserStateClient
from kvstore.models import StudentModule
from kvstore.testing import UserFactory
from tests.concurrency.writers import run_writers
from tests.kvstore.cache.blocks import usage

ROWS = 120 if connection.vendor != "sqlite" else 30
JOB = "job-17"
CHECKOUT = Path(__file__).resolve().parents[2]


def repair_all(number: int) -> None:
    from history.api import Selection, repair

    repair(Selection(request_id=JOB), reason=f"repair {number}")


def repair_or_write(number: int, usage_keys: list[str]) -> None:
    """Repair in the first two processes; in the others, set a field that the script did not touch."""
    if number < 2:
        return repair_all(number)
    from kvstore.api import DjangoXBlockUserStateClient

    for text in reversed(usage_keys):
        DjangoXBlockUserStateClient().set("amara", UsageKey.from_string(text), {f"note{number}": number})
    return None


def repair_in_a_process(names: dict[str, str]) -> None:
    """Repair in batches of ten, for the program below."""
    for alias, name in names.items():
        connections[alias].settings_dict["NAME"] = name
    from history.incident import repair as repairing

    repairing.BATCH_SIZE = 10
    repair_all(0)


class Repairs(TransactionTestCase):
    databases = {"default", "student_module_history"}

    def setUp(self):
        self.user = UserFactory(username="amara")
        self.keys = [usage(f"b{number}") for number in range(ROWS)]
        client = DjangoXBlockUserStateClient(self.user)
        client.set_many("amara", {key: {"answer": "a"} for key in self.keys})
        with change_context(request_id=JOB):
            client.set_many("amara", {key: {"answer": ""} for key in self.keys})

    def states(self):
        return [json.loads(state) for state in StudentModule.objects.order_by("pk").values_list("state", flat=True)]

    def repair_entries(self):
        """Return the number of committed entries that repairs wrote, for each row."""
        return [sum(entry.action == "restored" for entry in timeline(self.user, key)) for key in self.keys]

    def test_two_repairs_at_once_repair_every_row_once(self):
        run_writers(2, repair_all)
        self.assertEqual(self.states(), [{"answer": "a"}] * ROWS)
        self.assertEqual(self.repair_entries(), [1] * ROWS)
        ids = {entry.request_id for key in self.keys for entry in timeline(self.user, key)} - {JOB, ""}
        for repair_id in ids:
            repair(Selection(request_id=repair_id), reason="undo")
        self.assertEqual(self.states(), [{"answer": ""}] * ROWS)

    @skipIf(connection.vendor == "sqlite", "SQLite lets one process write at a time")
    def test_repairs_keep_what_learners_write_meanwhile(self):
        run_writers(4, repair_or_write, list(map(str, self.keys)))
        self.assertEqual(self.states(), [{"answer": "a", "note2": 2, "note3": 3}] * ROWS)
        self.assertEqual(self.repair_entries(), [1] * ROWS)

    def test_a_repair_that_is_killed_again_and_again_is_completed(self):
        kills = 0
        for written in range(ROWS // 4, ROWS, ROWS // 4):
            process = self.start()
            while process.poll() is None and self.repaired() < written:
                time.sleep(0.005)
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
                kills += 1
            process.wait()
        self.assertGreater(kills, 0)
        process = self.start()
        self.assertEqual(process.wait(120), 0)
        self.assertEqual(self.states(), [{"answer": "a"}] * ROWS)
        self.assertEqual(self.repair_entries(), [1] * ROWS)
        sums = repair(Selection(request_id=JOB), reason="again")
        self.assertEqual(sums.results, {"repaired": ROWS})

    def repaired(self):
        return StudentModule.objects.filter(version__gt=2).count()

    def start(self):
        names = {alias: str(connections[alias].settings_dict["NAME"]) for alias in connections}
        program = (
            "import django; django.setup(); "
            f"from tests.concurrency.test_repairs import repair_in_a_process; repair_in_a_process({names!r})"
        )
        return subprocess.Popen([sys.executable, "-c", program], cwd=CHECKOUT)
