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

import django

STATE = '{"answer":"a","seed":1}'

ROWS = """
INSERT INTO xblock_kvstore_studentmodule
  (student_id, course_id, module_state_key, module_type, state, grade, max_grade, done, version, created, modified)
SELECT 1, 'course-v1:Org+Course+Run', 'block-v1:Org+Course+Run+type@problem+block@p' || n, 'problem', %s, NULL, NULL,
  'na', %s, now() - interval '1 day', now() - interval '1 day'
FROM generate_series(1, %s) n
"""
ENTRIES = """
INSERT INTO {table}
  (student_module_id, version, action, student_id, course_id, module_state_key, module_type, state, created, reason,
   request_id)
SELECT n, v, CASE v WHEN 1 THEN 'created' ELSE 'changed' END, 1, 'course-v1:Org+Course+Run',
  'block-v1:Org+Course+Run+type@problem+block@p' || n, 'problem', %s, now() - interval '1 day', '', ''
FROM generate_series(1, %s) n, generate_series(1, %s) v
"""


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
    from django.contrib.auth import get_user_model
    from django.db import connections

    get_user_model()(pk=1, username="learner").save()
    with connections["default"].cursor() as cursor:
        cursor.execute(ROWS, [STATE, versions, rows])
        cursor.execute(ENTRIES.format(table="xblock_history_pendinghistory"), [STATE, rows, versions])
        cursor.execute("ANALYZE")


def run(*arguments: str, kill_after: float | None = None) -> dict[str, object]:
    """Run a command and say how long it took, its peak memory in MB and the last line that it printed."""
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
