"""The benchmark runs, and every contender that writes or reads does what it claims. The tests do not check times."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from django.db import connection
from django.test import SimpleTestCase

CHECKOUT = Path(__file__).resolve().parent.parent
CASES = ("write", "per_block", "prefetch", "cached_read", "history_read")

WRONG_DIGEST = """
import django; django.setup()
from bench import course, databases
from bench.contenders import raw

def with_wrong_digests(*args):
    batch = next_versions(*args)
    return batch._replace(versions=[(*version[:-1], "01" + 64 * "0") for version in batch.versions])

next_versions, raw.next_versions = raw.next_versions, with_wrong_digests
with databases.created():
    writer = raw.Raw([course.usage_key(number) for number in range(10)])
    writer.check_row = lambda before, row: None
    writer.contender(10).check()
"""
FALSE_CLAIM = """
import django; django.setup()
from bench.case import Contender, Options, Rounds
from bench.timing import interleave
def check(): raise AssertionError('lost a field')
interleave([Contender('false claim', lambda: print, check)], Rounds(1, 1), Options())
"""


class Bench(SimpleTestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.urls = {}
        # On a server the prefix separates the benchmark's databases from those of the suite.
        if connection.vendor == "sqlite":
            self.urls = {
                "DATABASE_URL": f"sqlite:///{self.folder}/state.sqlite3",
                "HISTORY_DATABASE_URL": f"sqlite:///{self.folder}/history.sqlite3",
            }

    def run_python(self, *args):
        return subprocess.run(
            [sys.executable, *args],
            cwd=CHECKOUT,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "bench.settings", **self.urls},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def run_bench(self, *args):
        done = self.run_python(
            "-m", "bench", "--quick", "--rounds", "1", "--output", str(self.folder / "results"), *args
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return {
            file.stem: json.loads(file.read_text(encoding="utf-8")) for file in (self.folder / "results").glob("*.json")
        }

    def test_it_measures_every_contender_and_writes_a_report_and_a_record(self):
        records = self.run_bench("--case", *CASES, "--blocks", "1", "10", "100")
        for name, record in records.items():
            with self.subTest(name):
                measured = record["measurements"]
                self.assertEqual({one["case"] for one in measured}, set(CASES))
                variants = [one["variant"] for one in measured if one["case"] == "write"]
                self.assertEqual(len(variants), 3 * 2 * 2, variants)
                self.assertEqual(set(measured[0]["samples"]), {"store", "raw"})
                self.assertEqual({len(samples) for samples in measured[0]["samples"].values()}, {1})
                report = (self.folder / "results" / f"{name}.md").read_text(encoding="utf-8")
                self.assertIn("store / raw", report)
                self.assertIn(f"over {record['machine']['driver']}", report)
        if connection.vendor == "postgresql":
            self.assertEqual(set(records), {"postgresql-psycopg2", "postgresql-psycopg"})
        # The databases are dropped, including the journal files of SQLite.
        self.assertEqual([file.name for file in self.folder.iterdir()], ["results"])

    def test_it_measures_only_the_chosen_blocks_and_states(self):
        for record in self.run_bench("--case", "write", "--blocks", "10", "--states", "short").values():
            variants = [one["variant"] for one in record["measurements"]]
            self.assertEqual(
                variants, ["10 blocks, short states, autocommit", "10 blocks, short states, inside atomic()"]
            )

    def test_a_profile_contains_the_time_of_each_statement(self):
        done = self.run_python("-m", "bench", "--profile", "--quick", "--rounds", "1", "--states", "short")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        for part in ("default SELECT", "student_module_history INSERT", "default COMMIT", "Python outside SQL"):
            self.assertIn(part, done.stdout)

    def test_the_exit_status_is_1_if_a_target_is_missed(self):
        code = (
            "import sys, bench.__main__ as bench, django; django.setup()\n"
            "from bench.cases import cached_read\n"
            "target = cached_read.Target\n"
            "cached_read.Target = lambda above, below, at_most: target(above, below, at_most=float(sys.argv[1]))\n"
            "sys.exit(bench.main(['--case', 'cached_read', '--rounds', '1', '--states', 'short']))\n"
        )
        for bound, status in (("0.01", 1), ("1000", 0)):
            self.urls["BENCH_DRIVER"] = "psycopg2"
            done = self.run_python("-c", code, bound)
            self.assertEqual(done.returncode, status, done.stdout + done.stderr)
            self.assertIn("Targets missed:" if status else "All targets are met.", done.stdout)

    def test_the_history_of_the_hand_written_sql_is_verified(self):
        done = self.run_python("-c", WRONG_DIGEST)
        self.assertEqual(done.returncode, 1)
        self.assertIn("verify found after raw wrote", done.stderr)

    def test_a_contender_with_a_false_claim_is_not_timed(self):
        done = self.run_python("-c", FALSE_CLAIM)
        self.assertEqual(done.returncode, 1)
        self.assertIn("lost a field", done.stderr)
