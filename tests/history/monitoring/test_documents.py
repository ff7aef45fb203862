"""The documentation names exactly the metrics, the alerts and the log events that exist."""

import ast
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from unittest import skipUnless

import yaml
from django.test import SimpleTestCase
from django.utils import timezone

from history.monitoring.report import as_json, metrics
from history.recording.health import Health

CHECKOUT = Path(__file__).resolve().parents[3]
DOCS = CHECKOUT / "docs"
PENDING = Health(
    pending=1, oldest_pending=timezone.now(), refused=1, reachable=True, migrated=True, breaker="open", error=""
)
NAMES = {metric.name for metric in metrics(PENDING)}
METRIC = re.compile(r"\bxblock_history_\w+")


def text_of(page):
    return (DOCS / page).read_text(encoding="utf-8")


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", text_of(page), re.DOTALL | re.MULTILINE)


def first_cells(page, heading):
    """Return the first cell of each row of the table under a heading."""
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", text_of(page), re.DOTALL | re.MULTILINE)
    rows = re.findall(r"^\| *([^|]*?) *\|(?:.*)$", section[1], re.MULTILINE)
    return [cell for cell in rows[2:] if cell]


def events():
    """Yield the value of ``event`` in every dictionary of the shipped code that has this key."""
    for app in ("kvstore", "history"):
        for file in (CHECKOUT / app).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Dict):
                    pairs = zip(node.keys, node.values, strict=True)
                    yield from (value.value for key, value in pairs if getattr(key, "value", "") == "event")


class Metrics(SimpleTestCase):
    def test_the_reference_lists_every_metric(self):
        listed = [name.strip("`") for name in first_cells("reference/metrics.md", "Values")]
        self.assertEqual(sorted(listed), sorted(NAMES))

    def test_the_reference_lists_every_field(self):
        listed = re.findall(r"^\|[^|]*\| `(\w+)` \|", text_of("reference/metrics.md"), re.MULTILINE)
        self.assertEqual(sorted(listed), sorted(as_json(PENDING)))


class Alerts(SimpleTestCase):
    def setUp(self):
        self.scraping, self.rules = map(yaml.safe_load, blocks("howto/alerts.md", "yaml"))

    def test_every_rule_uses_metrics_that_exist_and_is_explained(self):
        (group,) = self.rules["groups"]
        for rule in group["rules"]:
            with self.subTest(alert=rule["alert"]):
                names = set(METRIC.findall(rule["expr"]))
                self.assertTrue(names and names <= NAMES, names)
                self.assertIn(rule["labels"]["severity"], ("warning", "critical"))
        explained = first_cells("howto/alerts.md", "At each alert")
        self.assertEqual([rule["alert"] for rule in group["rules"]], explained)

    def test_the_page_of_the_metrics_is_scraped(self):
        (job,) = self.scraping["scrape_configs"]
        self.assertEqual(job["metrics_path"], "/history/metrics/")

    @skipUnless(shutil.which("promtool"), "promtool is not installed (Debian: apt-get install prometheus)")
    def test_prometheus_accepts_the_rules_and_the_configuration(self):
        for command, block in zip(("config", "rules"), blocks("howto/alerts.md", "yaml"), strict=True):
            with tempfile.NamedTemporaryFile("w", suffix=".yml") as file, self.subTest(command=command):
                file.write(block.replace("/etc/prometheus/history-token", "/dev/null"))
                file.flush()
                done = subprocess.run(
                    ["promtool", "check", command, file.name], capture_output=True, text=True, check=False
                )
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


class LogEvents(SimpleTestCase):
    def test_the_reference_lists_every_event_of_the_code(self):
        listed = re.findall(
            r"^\| `(\w+)` \| (?:error|warning|info) \|", text_of("reference/log-events.md"), re.MULTILINE
        )
        self.assertEqual(sorted(listed), sorted(set(events())))
