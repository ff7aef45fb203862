"""``manage.py recover_state``: its report, exit codes and options."""

import io
import json
from contextlib import contextmanager
from unittest import mock

from django.core.management import CommandError, call_command
from django.test import override_settings

from history.models import StudentModuleHistory
from history.recovery import recover as recovery
from tests.history.outages import alias_missing, history_outage
from tests.history.recovery.backups import Backup
from tests.history.recovery.case import BLOCK, RecoveryTestCase
from tests.kvstore.cache.blocks import usage


class Command(RecoveryTestCase):
    def command(self, *arguments, code=0, **options):
        """Run the command, and return the lines of its report, the sums last, and the message."""
        output, errors, message = io.StringIO(), io.StringIO(), ""
        try:
            call_command("recover_state", *arguments, stdout=output, stderr=errors, **options)
            self.assertEqual(code, 0)
        except CommandError as error:
            self.assertEqual(error.returncode, code)
            message = str(error)
        return [json.loads(line) for line in output.getvalue().splitlines()], message + errors.getvalue()

    def test_the_report(self):
        self.set(1)
        self.client.set(self.user.username, usage("text", "html"), {"a": 1})
        backup = Backup()
        self.set(2)
        backup.restore()
        (row, sums), _message = self.command()
        entry = StudentModuleHistory.objects.get(version=2)
        self.assertEqual(
            row,
            {
                "row": entry.student_module_id,
                "result": "restored",
                "learner_id": self.user.pk,
                "course": str(entry.course_id),
                "block": str(BLOCK),
                "from_version": 1,
                "to_version": 2,
                "proved": False,
                "written": entry.created.isoformat(),
                "missing": [],
                "versions": [],
                "detail": "",
            },
        )
        self.assertEqual((sums["results"], sums["not_proved"], sums["left"]), ({"restored": 1}, 1, 0))
        self.assertEqual(
            sums["not_in_history"],
            {
                "columns": ["done"],
                "scopes": ["preferences", "user_info", "user_state_summary"],
                "block_types": {"html": 1},
            },
        )
        self.assertEqual((sums["rows"], sums["last_id"]), (1, entry.student_module_id))

    @override_settings(HISTORY_BLOCK_TYPES="*")
    def test_where_every_block_type_is_recorded(self):
        self.client.set(self.user.username, usage("text", "html"), {"a": 1})
        (sums,), _message = self.command()
        self.assertEqual(sums["not_in_history"]["block_types"], {})

    def test_rows_that_are_left_are_exit_code_1(self):
        self.set(1)
        backup = Backup()
        self.set(2, 3)
        backup.restore()
        self.set("new")
        (row, sums), message = self.command(code=1)
        self.assertEqual((row["result"], sums["left"]), ("diverged", 1))
        self.assertIn("1 results need a decision", message)

    def test_a_database_that_fails(self):
        self.set(1)
        backup = Backup()
        self.set(2)
        backup.restore()
        with history_outage():
            lines, message = self.command(code=1)
        self.assertIn("A database failed: ", message)
        self.assertIn("recover_state --after 0` to continue", message)
        self.assertEqual(lines[-1]["last_id"], 0)
        self.assertEqual(self.row().version, 1)

    def test_a_command_that_is_stopped(self):
        self.set(1, 2)

        @contextmanager
        def stopped():
            yield mock.Mock(is_set=lambda: True)

        with mock.patch("history.management.commands.recover_state.stopped_by_signals", stopped):
            (sums,), message = self.command(code=3)
        self.assertIn("The command was stopped. ", message)
        self.assertEqual(sums["rows"], 0)

    def test_one_database(self):
        self.set(1)
        with (
            override_settings(HISTORY_DATABASE_ALIAS="default"),
            mock.patch.object(recovery, "candidate_ids") as suspects,
        ):
            (sums,), message = self.command()
        suspects.assert_not_called()
        self.assertIn("HISTORY_DATABASE_ALIAS is 'default'", message)
        self.assertEqual((sums["rows"], sums["results"]), (0, {}))

    def test_a_history_database_that_is_not_configured(self):
        with alias_missing():
            _lines, message = self.command(code=1)
        self.assertIn("absent", message)

    def test_bad_arguments(self):
        for argument in ("--after=-1", "--sleep=-1", "--sleep=nan", "--since=yesterday"):
            with self.subTest(argument=argument), self.assertRaises(CommandError):
                call_command("recover_state", argument, stdout=io.StringIO())

    def test_options(self):
        self.set(1)
        backup = Backup()
        self.set(2, 3)
        backup.restore()
        (row, sums), _message = self.command("--dry-run", "--only-proved", "--since=2020-01-01", "--until=2100-01-01")
        self.assertEqual((row["to_version"], row["proved"], sums["dry_run"]), (2, True, True))
        self.assertEqual(self.row().version, 1)
        (sums,), _message = self.command(f"--after={row['row']}")
        self.assertEqual(sums["rows"], 0)
