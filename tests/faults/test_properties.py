"""Any order of writes, deletions, rollbacks, outages, deliveries and restored backups agrees with a model.

TransactionTestCase, because the events commit. Hypothesis reports the shortest order that fails.
"""

import json
import os
from typing import Any

from django.db import connection
from django.test import TransactionTestCase, override_settings
from hypothesis import HealthCheck, settings
from hypothesis.stateful import invariant, run_state_machine_as_test

from history.api import timeline
from history.models import PendingHistory, StudentModuleHistory
from history.reading.committed import committed
from history.reading.scan import delivered
from history.reading.timeline import TimelinePart, timeline_of
from kvstore.keys import block_address
from tests.faults.events import Events, named
from tests.faults.model import Version

# Each example takes a server about 3 seconds.
EXAMPLES = int(os.environ.get("FAULT_EXAMPLES", "30" if connection.vendor == "sqlite" else "10"))


class Store(Events):
    """The store and its model. The invariants compare them after each event."""

    @invariant()
    def the_state_is_the_models(self) -> None:
        for (number, key), place in self.places.items():
            row = self.row(self.users[number], key)
            if not place.exists:
                assert row is None
                continue
            fields = None if row.state is None else json.loads(row.state)
            self.assert_same((fields, row.grade, row.max_grade), (place.fields, place.grade, place.max_grade))
            self.assert_same(row.version, place.version)

    def expected(self, place: Any) -> set[str]:
        """Return the versions that readers show: the present ones, and all that a deletion proves."""
        return {named(version) for version in self.places[place].versions} | self.deleted[place]

    @invariant()
    def the_timeline_is_the_models(self) -> None:
        for (number, key), place in self.places.items():
            entries = list(timeline(self.users[number], key))
            shown = [named(entry) for entry in entries]
            self.assert_same(sorted(shown), sorted(self.expected((number, key))))
            row = self.row(self.users[number], key)
            of_row = [entry for entry in entries if row and entry.student_module_id == row.pk and not entry.is_branch]
            self.assert_same([plain_entry(entry) for entry in of_row], [plain(entry) for entry in place.life[::-1]])
            times = [entry.created for entry in of_row]
            # A JSON fixture cuts the time of the row to milliseconds.
            assert (number, key) in self.loaded or times == sorted(set(times), reverse=True), times

    @invariant()
    def a_page_in_the_middle_equals_its_part_of_the_timeline(self) -> None:
        for number, key in self.places:
            entries = [entry for entry in timeline(self.users[number], key) if not entry.is_branch]
            for entry in entries[1::3]:
                part = TimelinePart(older_than=(entry.student_module_id, entry.version + 1))
                address = block_address(key)
                found = next(one for one in timeline_of(self.users[number], address, part) if not one.is_branch)
                self.assert_same(named(found), named(entry))

    @invariant()
    def the_list_of_all_equals_the_timelines(self) -> None:
        shown: dict[Any, set[str]] = {}
        for model in (PendingHistory, StudentModuleHistory):
            for entry in committed(list(model._base_manager.all())):
                shown.setdefault((entry.student_id, entry.module_state_key), set()).add(named(entry))
        for number, key in self.places:
            found = shown.get((self.users[number].pk, key), set())
            self.assert_same(sorted(found), sorted(self.expected((number, key))))

    @invariant()
    def no_entry_ever_changes(self) -> None:
        now = {(entry.student_module_id, entry.version, entry.digest): entry.as_version() for entry in delivered()}
        assert now == self.stored | now and self.stored.keys() <= now.keys()
        self.stored = now


def plain_entry(entry: Any) -> list[Any]:
    """Return the values of an entry, with the state parsed."""
    return plain(Version(entry.version, str(entry.action), entry.state, entry.grade, entry.max_grade, entry.request_id))


def plain(version: Version) -> list[Any]:
    return list(version._replace(state=version.state and json.loads(version.state)))


@override_settings(HISTORY_RETRY_AFTER=3600, HISTORY_TIMEOUT=5)
class Properties(TransactionTestCase):
    databases = {"default", "student_module_history"}

    def test_any_order_of_events_agrees_with_the_model(self):
        run_state_machine_as_test(
            Store,
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=30,
                deadline=None,
                # The suite tries the same orders every time; asked for a number of them, new ones.
                derandomize="FAULT_EXAMPLES" not in os.environ,
                database=None,
                print_blob=True,
                report_multiple_bugs=False,
                suppress_health_check=list(HealthCheck),
            ),
        )
