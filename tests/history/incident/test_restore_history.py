"""``manage.py restore_history``: its table, files, messages, exit codes and options."""

import io
import json
import shlex
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

from django.core.management import CommandError, call_command
from django.db import DatabaseError

from history.incident import repair as repairing
from kvstore.keys import block_address
from kvstore.models import StudentModule
from kvstore.storage.writing import write_states
from tests.history.hostile import ANSI, BIDI
from tests.history.incident.case import JOB, IncidentTestCase, harmed
from tests.history.outages import alias_missing, history_outage
from tests.kvstore.cache.blocks import COURSE, usage

JOB_ONLY = f"--request-id={JOB}"
REASON = "--reason=answers lost"


class Command(IncidentTestCase):
    def setUp(self):
        super().setUp()
        for number in range(3):
            self.set(block=usage(f"b{number}"), answer="a")
        self.score(8, usage("b0"))
        with harmed():
            for number in range(3):
                self.set(block=usage(f"b{number}"), answer="")
            self.score(0, usage("b0"))
        self.file = Path(self.enterContext(TemporaryDirectory())) / "report.jsonl"

    def command(self, *arguments, code=0):
        """Run the command, and return its lines and its message."""
        output, message, returned = io.StringIO(), "", 0
        try:
            call_command("restore_history", *arguments, stdout=output, stderr=io.StringIO())
        except CommandError as error:
            message, returned = str(error), error.returncode
        self.assertEqual(returned, code, message)
        return output.getvalue().splitlines(), message

    def report(self):
        return [json.loads(line) for line in self.file.read_text().splitlines()]

    def answers(self):
        states = StudentModule.objects.order_by("pk").values_list("state", flat=True)
        return [json.loads(state)["answer"] for state in states]

    def test_a_dry_run_prints_the_table_the_sums_and_a_sample(self):
        lines, _message = self.command(JOB_ONLY, "--dry-run")
        self.assertEqual(self.answers(), ["", "", ""])
        row = StudentModule.objects.order_by("pk").first()
        first = lines[4].split()
        self.assertEqual(first[:6], [str(row.pk), "restored", str(self.user.pk), "4", "->", "?"])
        self.assertIn("0/10 -> 8/10", lines[4])
        self.assertTrue(lines[4].endswith(f"{usage('b0')}  ~answer"))
        text = "\n".join(lines)
        self.assertIn("4 selected entries of 1 learners and 3 blocks, in 3 rows", text)
        self.assertIn("results: restored 3", text)
        self.assertIn("grades: increased 1, unchanged 2", text)
        self.assertIn("fields: ~answer 3", text)
        self.assertIn(f'{row.pk}: ~ answer: "" -> "a"', text)
        self.assertNotIn("to undo", text)

    def test_the_repair_prints_the_command_that_undoes_it(self):
        lines, _message = self.command(JOB_ONLY, REASON, f"--json-lines={self.file}")
        self.assertEqual((self.answers(), self.row(usage("b0")).grade), (["a", "a", "a"], 8))
        *rows, sums = self.report()
        self.assertEqual([row["result"] for row in rows], ["restored"] * 3)
        self.assertEqual((sums["results"], sums["dry_run"], sums["skipped"]), ({"restored": 3}, False, 0))
        repair_id = lines[0].removeprefix("repair ")
        self.assertEqual({row["repair_id"] for row in rows} | {sums["repair_id"]}, {repair_id})
        (undo,) = [line.removeprefix("to undo: manage.py ") for line in lines if line.startswith("to undo: ")]
        name, *arguments = shlex.split(undo)
        self.assertEqual((name, arguments[0]), ("restore_history", f"--request-id={repair_id}"))
        self.command(*arguments)
        self.assertEqual((self.answers(), self.row(usage("b0")).grade), (["", "", ""], 0))

    def test_a_second_run_changes_nothing(self):
        self.command(JOB_ONLY, REASON, f"--json-lines={self.file}")
        lines, _message = self.command(JOB_ONLY, REASON, f"--json-lines={self.file}")
        self.assertIn("results: repaired 3", lines)
        results = [row.get("result") for row in self.report()]
        self.assertEqual(results, [*["restored"] * 3, None, *["repaired"] * 3, None])

    def test_grades_can_be_kept(self):
        self.command(JOB_ONLY, REASON, "--keep-grades")
        self.assertEqual((self.answers(), self.row(usage("b0")).grade), (["a", "a", "a"], 0))

    def test_skipped_rows_are_exit_code_1(self):
        self.set(block=usage("b1"), answer="b")
        lines, message = self.command(JOB_ONLY, REASON, code=1)
        self.assertIn("1 rows were skipped", message)
        (line,) = [line for line in lines if line.endswith(f"{usage('b1')}  !answer")]
        self.assertIn(" conflict ", line)

    def test_selections_by_every_option(self):
        entry_options = (
            [JOB_ONLY],
            ["--recorded-reason=nightly script"],
            [f"--course={COURSE}", JOB_ONLY],
            ["--block-type=problem", JOB_ONLY],
            ["--since=2026-01-01", JOB_ONLY, "--until=2100-01-01"],
        )
        for options in entry_options:
            with self.subTest(options=options):
                lines, _message = self.command(*options, "--dry-run")
                self.assertIn("results: restored 3", lines)
        lines, _message = self.command(f"--block={usage('b2')}", JOB_ONLY, "--dry-run")
        self.assertIn("results: restored 1", lines)
        self.command("--actor=amara", "--dry-run", code=1)

    def test_bad_input_gives_a_message(self):
        for arguments, expected in (
            ([], "The selection is too wide."),
            ([f"--course={COURSE}"], "The selection is too wide."),
            (["--request-id=absent", REASON], "No committed entry matches the selection."),
            ([JOB_ONLY], "A repair needs a reason."),
            ([JOB_ONLY, "--reason= "], "A repair needs a reason."),
            ([JOB_ONLY, f"--reason={'x' * 256}"], "256 characters"),
            ([JOB_ONLY, REASON, "--repair-id=mine"], "is not the id of a repair"),
            ([JOB_ONLY, REASON, "--since=yesterday"], "is not a time"),
            ([JOB_ONLY, "--block=block"], "is not a UsageKey"),
            ([JOB_ONLY, "--actor=absent"], "No user has the username"),
            ([JOB_ONLY, "--dry-run", "--json-lines=/absent/report.jsonl"], "The file cannot be written"),
        ):
            with self.subTest(arguments=arguments):
                self.assertIn(expected, self.command(*arguments, code=1)[1])
        for argument in ("--after=-1", "--sleep=-1"):
            with self.assertRaises(CommandError):
                call_command("restore_history", JOB_ONLY, argument, stdout=io.StringIO())
        self.assertEqual(self.answers(), ["", "", ""])

    def test_an_outage_of_the_history(self):
        with history_outage():
            _lines, message = self.command(JOB_ONLY, REASON, code=1)
        self.assertIn("A database failed: ", message)
        self.assertIn("Each row is repaired or unchanged. To continue: manage.py restore_history", message)
        self.assertEqual(self.answers(), ["", "", ""])
        self.command(JOB_ONLY, REASON)
        with alias_missing():
            self.assertIn("absent", self.command(JOB_ONLY, REASON, code=1)[1])

    def test_a_failed_run_prints_the_command_that_continues_it(self):
        write, calls = repairing._write, []

        def lose(row, values):
            calls.append(row)
            if len(calls) == 2:
                raise DatabaseError("the connection\nwas lost")
            return write(row, values)

        with mock.patch.object(repairing, "_write", lose):
            lines, message = self.command(JOB_ONLY, REASON, "--keep-grades", code=1)
        self.assertIn("A database failed: the connection was lost.", message)
        self.assertIn("results: restored 1", lines)
        name, *arguments = shlex.split(message.partition("To continue: manage.py ")[2])
        self.assertEqual(name, "restore_history")
        lines, _message = self.command(*arguments)
        self.assertIn("results: restored 2", lines)
        repair_id = lines[0].removeprefix("repair ")
        lines, _message = self.command(f"--request-id={repair_id}", "--reason=undo")
        self.assertIn("results: restored 3", lines)

    def test_a_command_that_is_stopped(self):
        @contextmanager
        def stopped():
            yield mock.Mock(is_set=lambda: True)

        with mock.patch("history.management.commands.restore_history.stopped_by_signals", stopped):
            _lines, message = self.command(JOB_ONLY, REASON, code=3)
        self.assertIn("The command was stopped. ", message)
        self.assertEqual(self.answers(), ["", "", ""])

    def test_hostile_names_are_escaped(self):
        state = json.dumps({ANSI: 1, BIDI: ANSI})
        with harmed("job-18"):
            change = {block_address(usage("b0")): lambda row: row.values._replace(state=state)}
            write_states(self.user.pk, change, create=False)
        lines, _message = self.command("--request-id=job-18", "--dry-run")
        self.assertTrue(all(line.isprintable() for line in lines))
        self.assertTrue(self.command(f"--actor={ANSI}", code=1)[1].isprintable())

    def test_batches_of_any_size(self):
        with mock.patch.object(repairing, "BATCH_SIZE", 1):
            self.command(JOB_ONLY, REASON, "--sleep=0.001")
        self.assertEqual(self.answers(), ["a", "a", "a"])
