"""A role with SELECT and INSERT records, delivers, reads and restores; the database refuses every other statement."""

import re
from pathlib import Path
from secrets import token_hex
from unittest import skipIf

from django.core.checks import Tags, run_checks
from django.core.management import call_command
from django.db import DatabaseError, connection, connections, models
from django.test import TransactionTestCase, override_settings

from history.api import HistoryUnavailable, deliver, restore, timeline
from history.database.circuit_breaker import breaker
from history.models import PendingHistory, StudentModuleHistory
from kvstore.api import DjangoXBlockUserStateClient, set_score
from kvstore.models import StudentModule
from kvstore.testing import StudentModuleFactory, UserFactory
from tests.faults.case import FaultCase
from tests.faults.servers.roles import WEB_ROLE
from tests.history.commands import run_command
from tests.history.database.roles import ENTRIES, connected_as, run, web_role
from tests.history.outages import fresh_breaker, history_unreachable, reconnected, rolled_back
from tests.kvstore.cache.blocks import usage

HISTORY = "student_module_history"
HOWTO = Path(__file__).resolve().parents[2] / "docs" / "howto" / "privileges.md"
SECTIONS = {"postgresql": "## PostgreSQL", "mysql": "## MySQL and MariaDB"}
DENIED = "permission denied|must be owner|command denied"
UPDATE = f"UPDATE {ENTRIES} SET version = version"  # noqa: S608  the model's name
DELETE = f"DELETE FROM {ENTRIES}"  # noqa: S608  likewise
OTHER_SESSIONS = """
SELECT DISTINCT usename FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid NOT IN (pg_backend_pid(), %s)
"""


class Stages(FaultCase):
    def test_writers_and_this_process_connect_as_the_web_role(self):
        writer = self.start_writers(1, kinds={"set": 1})[0]
        with connections[HISTORY].cursor() as cursor:
            cursor.execute("SELECT current_user")
            self.assertEqual(cursor.fetchone(), (WEB_ROLE,))
        self.assertEqual(self.history.ask(OTHER_SESSIONS, self.stage.session()), [(WEB_ROLE,)])
        writer.kill()
        self.stage.wait_until_quiet()
        self.assertTrue(StudentModuleHistory.objects.filter(student_id__in=self.learners).exists())
        self.assert_nothing_lost()


@skipIf(connection.vendor == "sqlite", "SQLite has no roles")
class WebRole(TransactionTestCase):
    """Outside a transaction, because another role must see the entries, and because GRANT commits on MySQL.

    The owner's connection is back before Django empties the tables.
    """

    databases = {"default", HISTORY}

    def setUp(self):
        self.enterContext(fresh_breaker())
        self.owner = {name: connections[HISTORY].settings_dict[name] for name in ("USER", "PASSWORD")}
        self.enterContext(connected_as(self.enterContext(web_role())))
        self.user = UserFactory()
        self.client = DjangoXBlockUserStateClient(self.user)

    def as_owner(self):
        return reconnected(HISTORY, **self.owner)

    def set(self, answer, name="block"):
        self.client.set(self.user.username, usage(name), {"answer": answer})

    def row(self):
        return StudentModule.objects.get(module_state_key=usage("block"))

    def timeline(self, name="block"):
        return [(entry.version, entry.action) for entry in timeline(self.user, usage(name))]

    def assert_recorded_directly(self):
        self.assertEqual((PendingHistory.objects.count(), breaker.state), (0, "closed"))

    def test_every_way_of_writing_is_recorded(self):
        name = self.user.username
        self.set(1)
        self.set(2)
        self.client.set_many(name, {usage(block): {"attempts": 1} for block in ("block", "other")})
        set_score(self.user.pk, usage("block"), 1, 2)
        self.client.delete(name, usage("block"), fields=["answer"])
        row = self.row()
        row.grade = 2.0
        row.save()
        self.assert_recorded_directly()
        self.assertEqual([version for version, _ in self.timeline()], [6, 5, 4, 3, 2, 1])
        self.assertEqual(self.timeline("other"), [(1, "created")])

    def test_a_deletion_is_recorded(self):
        self.set(1)
        self.row().delete()
        self.assert_recorded_directly()
        self.assertEqual(self.timeline(), [(2, "deleted"), (1, "created")])

    def test_a_version_is_restored(self):
        self.set(1)
        self.set(2)
        first = list(timeline(self.user, usage("block")))[-1]
        restore(first, expected_version=2, actor=self.user, reason="lost")
        self.assert_recorded_directly()
        self.assertEqual(self.timeline(), [(3, "restored"), (2, "changed"), (1, "created")])
        self.assertEqual(self.client.get(self.user.username, usage("block")).state, {"answer": 1})

    def test_a_rolled_back_version_is_not_shown_and_its_number_is_used_again(self):
        self.set(1)
        with rolled_back():
            self.set("undone")
        self.assertEqual(self.timeline(), [(1, "created")])
        self.set(2)
        self.assert_recorded_directly()
        self.assertEqual(next(timeline(self.user, usage("block"))).state, '{"answer":2}')

    def test_an_outage_and_a_delivery(self):
        self.set(1)
        with history_unreachable():
            self.set(2)
            self.set(3)
            self.assertEqual((PendingHistory.objects.count(), breaker.state), (2, "open"))
            with self.assertRaises(HistoryUnavailable):
                self.timeline()
        self.assertEqual([version for version, _ in self.timeline()], [3, 2, 1])
        self.assertEqual(deliver().delivered, 2)
        self.assert_recorded_directly()
        self.assertEqual(self.delivered(), [1, 2, 3])
        self.assertEqual([version for version, _ in self.timeline()], [3, 2, 1])

    def test_a_delivery_that_is_repeated(self):
        """A delivery that dies between its insert and its delete leaves entries to be inserted again."""
        self.set(1)
        self.set(2)
        with history_unreachable():
            self.set(3)
        PendingHistory.objects.bulk_create(self.pending_again(entry) for entry in StudentModuleHistory.objects.all())
        self.assertEqual(deliver().delivered, 3)
        self.assert_recorded_directly()
        self.assertEqual(self.delivered(), [1, 2, 3])
        self.assertEqual([version for version, _ in self.timeline()], [3, 2, 1])

    def pending_again(self, entry):
        columns = [field.attname for field in PendingHistory._meta.concrete_fields if not field.primary_key]
        return PendingHistory(**{name: getattr(entry, name) for name in columns})

    def delivered(self):
        return sorted(StudentModuleHistory.objects.values_list("version", flat=True))

    def test_entries_cannot_be_changed_or_removed(self):
        self.set(1)
        entries = models.QuerySet(StudentModuleHistory, using=HISTORY)
        before = list(entries.values())
        self.assertEqual(len(before), 1)
        attempts = {
            "update": lambda: entries.update(state="{}"),
            "delete": lambda: entries.delete(),
            "UPDATE": lambda: run(UPDATE),
            "DELETE": lambda: run(DELETE),
            "TRUNCATE": lambda: run(f"TRUNCATE TABLE {ENTRIES}"),
            "ALTER": lambda: run(f"ALTER TABLE {ENTRIES} DROP COLUMN state"),
            "DROP": lambda: run(f"DROP TABLE {ENTRIES}"),
        }
        for name, attempt in attempts.items():
            with self.subTest(name), self.assertRaisesRegex(DatabaseError, DENIED):
                attempt()
        self.assertEqual(list(entries.values()), before)

    @override_settings(HISTORY_ON_DELETE="erase")
    def test_an_erasure_is_refused_and_repeated_by_the_owner(self):
        self.set(1)
        with self.assertLogs("history", "ERROR") as logs:
            self.row().delete()
        self.assertEqual([record.event for record in logs.records], ["erasure_failed"])
        self.assertEqual(self.timeline(), [(2, "deleted"), (1, "created")])
        deliver()
        self.assertEqual(self.verify(), 1)
        with self.assertRaisesRegex(DatabaseError, DENIED):
            self.verify("--repair")
        with self.as_owner():
            self.assertEqual(self.verify("--repair"), 0)
        self.assertEqual(self.timeline(), [])

    def verify(self, *options):
        """Run verify_history and return its exit code."""
        return run_command("verify_history", *options).code


@skipIf(connection.vendor == "sqlite", "SQLite has no roles")
class HowTo(TransactionTestCase):
    """The statements of docs/howto/privileges.md, with names of this run, in a database that they create.

    Outside a transaction, because PostgreSQL creates no database inside one.
    """

    databases = {"default", HISTORY}

    def setUp(self):
        token = token_hex(6)
        self.database, self.owner, self.web = f"howto{token}", f"owner_{token}", f"web_{token}"
        self.enterContext(fresh_breaker())

    def blocks(self):
        """Return the statements of the section for the database in use, block by block."""
        text = HOWTO.read_text(encoding="utf-8")
        section = text.partition(SECTIONS[connection.vendor] + "\n")[2].partition("\n## ")[0]
        names = {"student_module_history": self.database, r"student\_module\_history": self.database}
        names |= {"history_owner": self.owner, "history_web": self.web}
        for written, name in names.items():
            section = section.replace(written, name)
        blocks = re.findall(r"```sql\n(.*?)```", section, re.DOTALL)
        return [[statement for statement in block.split(";\n") if statement] for block in blocks]

    def connected(self, role, password):
        return reconnected(HISTORY, NAME=self.database, USER=role, PASSWORD=password)

    def remove(self):
        accounts = [self.owner, self.web] if connection.vendor == "postgresql" else []
        run(f"DROP DATABASE IF EXISTS {self.database}", *(f"DROP ROLE IF EXISTS {name}" for name in accounts))
        if connection.vendor == "mysql":
            run(*(f"DROP USER IF EXISTS '{name}'@'%'" for name in (self.owner, self.web)))

    def test_the_web_role_records_and_no_check_warns(self):
        self.addCleanup(self.remove)
        first, second = self.blocks()
        run(*first)
        with self.connected(self.owner, "change-me-1"):
            call_command("migrate", database=HISTORY, verbosity=0)
            if connection.vendor == "postgresql":
                run(*second)
        if connection.vendor == "mysql":
            run(*second)
        with self.connected(self.web, "change-me-2"):
            self.assertEqual(run_checks(tags=[Tags.database], include_deployment_checks=True, databases=[HISTORY]), [])
            row = StudentModuleFactory()
            self.assertEqual(PendingHistory.objects.count(), 0)
            self.assertEqual([entry.version for entry in timeline(row.student, row.usage_key)], [1])
            with self.assertRaisesRegex(DatabaseError, DENIED):
                run(UPDATE)
