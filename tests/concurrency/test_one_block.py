"""Eight processes write to one block at once: no write is lost, and every version is in the history.

TransactionTestCase, because the processes must see each other's committed rows.
"""

import json
from unittest import skipIf

from django.db import connection
from django.test import TransactionTestCase
from opaque_keys.edx.keys import UsageKey

from history.api import timeline
from kvstore.models import StudentModule
from kvstore.testing import UserFactory
from tests.concurrency.writers import run_writers

WRITERS = 8
# In SQLite one process writes at a time, and each waits for the disk.
WRITES = 500 if connection.vendor != "sqlite" else 50
BLOCK = "block-v1:Org+Course+Run+type@problem+block@raced"


def overlay_fields(number: int, user_id: int, writes: int) -> None:
    """Set this writer's own field and the one that all share, again and again."""
    from kvstore.api import DjangoXBlockUserStateClient
    from kvstore.models import StudentModule

    user = StudentModule._meta.get_field("student").related_model.objects.get(pk=user_id)
    client = DjangoXBlockUserStateClient(user)
    for count in range(1, writes + 1):
        client.set(user.username, UsageKey.from_string(BLOCK), {f"writer{number}": count, "last": [number, count]})


def score_and_overlay(number: int, user_id: int, writes: int) -> None:
    """Set scores in every second writer, a field in the others."""
    from kvstore.api import set_score

    if number % 2:
        return overlay_fields(number, user_id, writes)
    for count in range(1, writes + 1):
        set_score(user_id, UsageKey.from_string(BLOCK), count, 1000 + number)
    return None


class OneBlock(TransactionTestCase):
    databases = {"default", "student_module_history"}

    def test_overlapping_writes_are_all_kept_and_recorded(self):
        user = UserFactory()
        # No row yet: the writers race to make it.
        run_writers(WRITERS, overlay_fields, user.pk, WRITES)
        row = StudentModule.objects.get()
        state = json.loads(row.state)
        self.assertEqual({n: state[f"writer{n}"] for n in range(WRITERS)}, dict.fromkeys(range(WRITERS), WRITES))
        self.assertEqual(row.version, WRITERS * WRITES)
        self.assert_every_write_is_one_version(user, row)

    def assert_every_write_is_one_version(self, user, row):
        entries = list(timeline(user, row.usage_key))[::-1]
        self.assertEqual([entry.version for entry in entries], list(range(1, row.version + 1)))
        counts = dict.fromkeys(range(WRITERS), 0)
        for entry in entries:
            state = json.loads(entry.state)
            number, count = state.pop("last")
            counts[number] += 1
            self.assertEqual(count, counts[number])
            self.assertEqual(state, {f"writer{n}": done for n, done in counts.items() if done})
        self.assertEqual([entry.created for entry in entries], sorted({entry.created for entry in entries}))

    @skipIf(connection.vendor == "sqlite", "SQLite lets one process write at a time")
    def test_scores_and_state_do_not_overwrite_each_other(self):
        user = UserFactory()
        run_writers(4, score_and_overlay, user.pk, 100)
        row = StudentModule.objects.get()
        state = json.loads(row.state)
        self.assertEqual((state["writer1"], state["writer3"], row.grade), (100, 100, 100))
        self.assertIn(row.max_grade, (1000, 1002))
        self.assertEqual(len(list(timeline(user, row.usage_key))), row.version)
