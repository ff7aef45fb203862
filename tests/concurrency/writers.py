"""Writers in separate processes, each with its own connections to the test databases."""

import importlib
import multiprocessing
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django
from django.db import connections

# A forked process would share its parent's connections; a spawned one makes its own.
PROCESSES = multiprocessing.get_context("spawn")
DEADLINE = 240
"""seconds"""


def run_writers(count: int, write: Callable[..., None], *args: Any) -> None:
    """Run ``write(number, *args)`` in ``count`` processes that begin at the same moment; fail if any of them fails."""
    names = {alias: connections[alias].settings_dict["NAME"] for alias in connections}
    start = PROCESSES.Barrier(count)
    # Named, not passed: a passed object is imported before Django is set up.
    target = (write.__module__, write.__qualname__)
    with tempfile.TemporaryDirectory() as folder:
        processes = [
            PROCESSES.Process(target=_writer, args=(names, start, target, f"{folder}/{number}", number, *args))
            for number in range(count)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join(DEADLINE)
        failures = [file.read_text() for file in Path(folder).iterdir()]
    codes = [process.exitcode for process in processes]
    if any(codes) or None in codes:
        raise AssertionError("\n".join([f"exit codes of the writers: {codes}", *failures]))


def _writer(names: dict[str, str], start: Any, target: tuple[str, str], report: str, *args: Any) -> None:
    try:
        django.setup()
        for alias, name in names.items():
            connections[alias].settings_dict["NAME"] = name
        module, function = target
        write = getattr(importlib.import_module(module), function)
        start.wait(DEADLINE)
        write(*args)
    except BaseException:  # an interrupt too must release the others and be reported
        start.abort()
        with open(report, "w") as file:
            traceback.print_exc(file=file)
        raise
    finally:
        connections.close_all()
