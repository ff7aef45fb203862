"""The demo project's settings without DEBUG pass Django's checks for a deployment."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from django.test import SimpleTestCase

CHECKOUT = Path(__file__).resolve().parents[2]
PRODUCTION = {"SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyz" * 2, "ALLOWED_HOSTS": "demo.example"}
SECURE = """
from django.conf import settings
from django.test import Client
import django
django.setup()
page = Client(headers={"host": "demo.example"})
print(page.get("/login/").status_code, page.get("/login/", headers={"X-Forwarded-Proto": "https"}).status_code)
print(page.get("/login/", secure=True)["Strict-Transport-Security"])
"""


class ProductionSettingsTests(SimpleTestCase):
    def run_python(self, *args: str, **variables: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LD_LIBRARY_PATH")}
        folder = self.enterContext(tempfile.TemporaryDirectory())
        urls = {
            "DATABASE_URL": f"sqlite:///{folder}/state.sqlite3",
            "HISTORY_DATABASE_URL": f"sqlite:///{folder}/history.sqlite3",
        }
        return subprocess.run(
            [sys.executable, *args],
            cwd=CHECKOUT,
            env={**kept, **urls, "DJANGO_SETTINGS_MODULE": "config.settings", **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=60,
        )

    def test_the_check_for_deployments_finds_nothing(self) -> None:
        result = self.run_python("manage.py", "check", "--deploy", "--fail-level", "INFO", **PRODUCTION)
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertIn("no issues", result.stdout)

    def test_a_key_and_hosts_are_required(self) -> None:
        result = self.run_python("manage.py", "check")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("SECRET_KEY", result.stdout)

    def test_http_is_redirected_and_a_proxy_can_report_https(self) -> None:
        result = self.run_python("-c", SECURE, **PRODUCTION, HTTPS_SEEN_BY_PROXY="X-Forwarded-Proto")
        self.assertEqual(result.stdout.split("\n")[0], "301 200", result.stdout)
        self.assertIn("max-age=31536000", result.stdout)
