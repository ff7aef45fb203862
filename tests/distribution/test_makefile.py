"""The Makefile explains a Python that cannot make the environment, and the demo needs no package of the tests."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from unittest import skipUnless

from django.test import SimpleTestCase

MAKEFILE = Path(__file__).resolve().parents[2] / "Makefile"


@skipUnless(shutil.which("make"), "make is not installed")
class Makefile(SimpleTestCase):
    def make(self, *arguments):
        """Run make on a copy in an empty folder."""
        folder = self.enterContext(tempfile.TemporaryDirectory())
        (Path(folder) / "setup.py").touch()
        # The variables of a make that runs these tests.
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
        command = ["make", "-f", str(MAKEFILE), *arguments]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)

    def test_an_unusable_python_is_named_with_the_remedy(self):
        for python in ("/bin/false", "no-such-python"):
            with self.subTest(python=python):
                done = self.make("run", f"PYTHON={python}")
                self.assertNotEqual(done.returncode, 0)
                for text in ("Python 3.11 or newer", f"'{python}' is not such a Python", "make PYTHON="):
                    self.assertIn(text, done.stderr)
                self.assertNotIn("pip", done.stdout)

    def test_the_demo_installs_neither_drivers_nor_tools(self):
        output = self.make("--dry-run", "run").stdout
        self.assertIn("'.[demo]'", output)
        for extra in ("dev", "mysql", "release"):
            self.assertNotIn(f"'.[{extra}]'", output)
