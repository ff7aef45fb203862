"""Fills two PostgreSQL databases with a million entries, and measures the memory of delivery and verification.

    DATABASE_URL=... HISTORY_DATABASE_URL=... python -m tests.faults.scale [--rows 20000] [--versions 50]

Both databases must be migrated and empty. Prints one JSON object. A run of each command is killed half way and
continued, to show that nothing is done twice and nothing is left.
"""

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import time
from datetime import timedelta
from operator import attrgetter

import django

STATE = '{"answer":"a","seed":1}'
COURSE = "course-v1:Org+Course+Run"
BLOCK = "block-v1:Org+Course+Run+type@problem+block@p"
ROWS_AT_ONCE = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--versions", type=int, default=50)
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    fill(options.rows, options.versions)
    report = {"entries": options.rows * options.versions}
    report["deliver, killed"] = run("deliver_history", kill_after=8)
    report["deliver, continued"] = run("deliver_history")
    report["verify, killed"] = run("verify_history", "--json", kill_after=3)
    report["verify"] = run("verify_history", "--json")
    print(json.dumps(report, indent=1))


def fill(rows: int, versions: int) -> None:
    """Insert rows and their pending entries, with real digests, because verification computes them again."""
    from django.contrib.auth import get_user_model
    from django.db import connections

    get_user_model()(pk=1, username="learner").save()
    for first in range(1, rows + 1, ROWS_AT_ONCE):
        insert(range(first, min(first + ROWS_AT_ONCE, rows + 1)), versions)
    with connections["default"].cursor() as cursor:
        cursor.execute("ANALYZE")


def insert(ids: range, versions: int) -> None:
    """Insert the rows with these ids and all their versions."""
    from django.utils import timezone

    from history.recording.pending import store_pending
    from kvstore.models import StudentModule
    from kvstore.signals import CHANGED, CREATED
    from kvstore.versioning import sql
    from kvstore.versioning.context import Origin
    from kvstore.versioning.versions import COLUMNS, Row, Values, make_next_version

    new = [Row(1, COURSE, f"{BLOCK}{number}", "problem", id=number) for number in ids]
    values, origin = Values(STATE, None, None), Origin(None, "", "", None, None, 1)
    yesterday = timezone.now() - timedelta(days=1)
    made = [
        make_next_version(row, values, yesterday, origin, CHANGED if version else CREATED)
        for row in new
        for version in range(versions)
    ]
    sql.insert(StudentModule, COLUMNS, list(map(attrgetter(*COLUMNS), new)), "default")
    store_pending(made, "default")


def run(*arguments: str, kill_after: float | None = None) -> dict[str, object]:
    """Run a command and return its duration, its peak memory in MB and the last line of its output."""
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "manage.py", *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    if kill_after:
        time.sleep(kill_after)
        process.send_signal(signal.SIGKILL)
    output = process.stdout.read() if process.stdout else ""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return {
        "exit": process.returncode,
        "seconds": round(time.monotonic() - started, 1),
        "peak MB": round(usage.ru_maxrss / 1024, 1),
        "said": (output.splitlines() or [""])[-1],
    }


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
