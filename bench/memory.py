"""Measures the memory of a walk in a new process, so that other work does not raise the peak.

python -m bench.memory MODULE FUNCTION     BENCH_DATABASES contains the names of the databases
"""

import importlib
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

NAMES = "BENCH_DATABASES"
STATUS = Path("/proc/self/status")


def growth_of(module: str, function: str) -> float:
    """Return the growth of the peak in MB while a new process consumes the iterator that a function returns."""
    from bench.databases import names

    done = subprocess.run(
        [sys.executable, "-m", "bench.memory", module, function],
        env={**os.environ, NAMES: json.dumps(names())},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


def peak() -> float:
    """Return the peak memory of this process in MB."""
    if STATUS.exists():
        # getrusage() includes the memory of the parent at the fork.
        for line in STATUS.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def main(module: str, function: str) -> None:
    import django

    django.setup()
    from django.db import connections

    from bench.databases import use

    use(json.loads(os.environ[NAMES]))
    walk = getattr(importlib.import_module(module), function)
    connections["default"].ensure_connection()
    before = peak()
    count = sum(1 for _ in walk())
    assert count
    print(round(peak() - before, 2))


if __name__ == "__main__":
    main(*sys.argv[1:])
