"""The benchmark runs, and every contender writes or reads one block correctly. Nothing is timed here."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from django.test import SimpleTestCase

CHECKOUT = Path(__file__).resolve().parent.parent
CASES = ("single_write", "cached_read", "history_read")


class Bench(SimpleTestCase):
    def run_bench(self, *args, **variables):
        return subprocess.run(
            [sys.executable, "-m", "bench", *args],
            cwd=CHECKOUT,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "bench.settings", **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def test_it_measures_every_contender_and_leaves_a_report_and_a_record(self):
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        urls = {
            "DATABASE_URL": f"sqlite:///{folder}/state.sqlite3",
            "HISTORY_DATABASE_URL": f"sqlite:///{folder}/history.sqlite3",
        }
        chosen = [argument for name in CASES for argument in ("--case", name)]
        done = self.run_bench("--quick", "--rounds", "1", "--output", str(folder / "results"), *chosen, **urls)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

        record = json.loads((folder / "results" / "sqlite.json").read_text(encoding="utf-8"))
        self.assertEqual({measured["case"] for measured in record["measurements"]}, set(CASES))
        single = record["measurements"][0]
        self.assertEqual(set(single["samples"]), {"store", "raw", "per block", "simple-history", "plain save()"})
        self.assertEqual({len(samples) for samples in single["samples"].values()}, {1})
        report = (folder / "results" / "sqlite.md").read_text(encoding="utf-8")
        self.assertIn("store / raw", report)
        # The databases are dropped again, with the auxiliary files of SQLite.
        self.assertEqual([file.name for file in folder.iterdir()], ["results"])

    def test_a_contender_with_wrong_results_is_not_timed(self):
        code = (
            "import django; django.setup()\n"
            "from bench.case import Contender, Options, Rounds\n"
            "from bench.timing import interleave\n"
            "def check(): raise AssertionError('lost a field')\n"
            "interleave([Contender('liar', lambda: print, check)], Rounds(1, 1), Options())\n"
        )
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "bench.settings", "DATABASE_URL": "sqlite:///:memory:"}
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False
        )
        self.assertEqual(done.returncode, 1)
        self.assertIn("lost a field", done.stderr)
