"""Processes that the tests may kill: each is forked from one that has loaded Django, and so begins in milliseconds.

``python -m tests.faults.servers.nursery`` reads one JSON object a line, {"target": "module:function",
"arguments": {...}, "report": path}, and answers with the id of the process that runs it. No connection is open when
it forks.
"""

import importlib
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
DEADLINE = 120
"""seconds"""


class Child:
    """A process of the nursery."""

    def __init__(self, pid: int, report: Path) -> None:
        self.pid = pid
        self._report = report

    @property
    def alive(self) -> bool:
        """Whether it runs still."""
        return Path(f"/proc/{self.pid}").exists()

    @property
    def output(self) -> str:
        """The output so far."""
        return self._report.with_suffix(".out").read_text()

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send it a signal; it may have ended."""
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return
        if number == signal.SIGKILL:
            self.wait()

    def wait(self, seconds: float = DEADLINE) -> int | None:
        """Wait for its end and return its exit code; None if it was killed or wrote no exit code."""
        end = time.monotonic() + seconds
        while self.alive:
            if time.monotonic() > end:
                raise AssertionError(f"process {self.pid} runs for more than {seconds} s:\n{self.output}")
            time.sleep(0.01)
        return int(self._report.read_text()) if self._report.exists() else None


class Nursery:
    """Starts processes with these environment variables."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._started = 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.servers.nursery"],
            cwd=ROOT,
            env={**os.environ, **environment, "DJANGO_SETTINGS_MODULE": "tests.settings"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def start(self, target: str, **arguments: Any) -> Child:
        """Begin to run a function in a process of its own."""
        self._started += 1
        report = self._folder / f"{self._started}.code"
        order = {"target": target, "arguments": arguments, "report": str(report)}
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return Child(int(self._process.stdout.readline()), report)

    def manage(
        self,
        *command: str,
        urls: Mapping[str, str] | None = None,
        batches: Mapping[str, int] | None = None,
        **settings: Any,
    ) -> Child:
        """Begin to run a command of manage.py.

        ``urls`` replace the URLs of the environment, by alias, and ``batches`` the BATCH_SIZE of modules.
        """
        values = {"command": command, "urls": urls or {}, "batches": batches or {}, "settings": settings}
        return self.start("tests.faults.servers.nursery:manage", **values)

    def close(self) -> None:
        """End every process that still runs."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.wait(DEADLINE)
        self._process.stdout.close()


def manage(
    command: list[str], urls: Mapping[str, str], batches: Mapping[str, int], settings: Mapping[str, Any]
) -> None:
    """Run a command of manage.py with these settings and sizes of batches."""
    import environ
    from django.core.management import execute_from_command_line
    from django.db import connections

    for alias, url in urls.items():
        connections.settings[alias].update(environ.Env.db_url_config(url))
    override(settings)
    for module, size in batches.items():
        importlib.import_module(module).BATCH_SIZE = size
    execute_from_command_line(["manage.py", *command])


def override(settings: Mapping[str, Any]) -> None:
    """Set settings for the rest of the process."""
    from django.conf import settings as current

    for name, value in settings.items():
        setattr(current, name, value)


def _serve() -> None:
    import django

    django.setup()
    importlib.import_module("tests.faults.writing")
    # Ended children need no burying.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while line := sys.stdin.readline():
        pid = os.fork()
        if pid == 0:
            _run(**json.loads(line))
        print(pid, flush=True)
    os.killpg(0, signal.SIGKILL)


def _run(target: str, arguments: dict[str, Any], report: str) -> None:
    code = 1
    output = os.open(Path(report).with_suffix(".out"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for old, new in ((0, nothing), (1, output), (2, output)):
        os.dup2(new, old)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        module, function = target.split(":")
        getattr(importlib.import_module(module), function)(**arguments)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else bool(end.code)
    except BaseException:  # no caller would report it: the process ends here
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        Path(report).write_text(str(int(code)))
        os._exit(code)


if __name__ == "__main__":
    _serve()
