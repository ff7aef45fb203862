"""Fills two PostgreSQL databases with three million entries, and measures the admin over them.

    DATABASE_URL=... HISTORY_DATABASE_URL=... python -m tests.admin.scale [--rows 300000] [--versions 10] [--no-fill]

Both databases must be migrated; filled, too, with --no-fill. Prints a Markdown table: for each page the median and the
slowest of its warm runs in milliseconds, its queries on each database, and how many of them count rows. Courses follow
each other in time, as they do, so that the rows of one are far from the newest.
"""

import argparse
import os
import statistics
import time
from typing import Any
from urllib.parse import quote, urlencode

import django

LEARNERS, COURSES, BLOCKS = 20_000, 30, 15
RUNS = 9
STATE = '{"student_answers": {"p_2_1": "choice_1"}, "attempts": 3, "seed": 1, "done": true, "score": {"raw": 1}}'

# A row n is of a learner, of the learner's course, and of one of its blocks.
OF_ROW = f"""
  (n - 1) / {BLOCKS} + 1 AS learner, ((n - 1) / {BLOCKS}) %% {COURSES} AS course, (n - 1) %% {BLOCKS} AS block
"""
KEYS = """
  'course-v1:Org+Course+Run' || course AS course_id,
  'block-v1:Org+Course+Run' || course || '+type@' || type || '+block@b' || block AS usage_key
"""
TYPED = "CASE WHEN block %% 5 = 0 THEN 'poll' ELSE 'problem' END AS type"
WRITTEN = """
  '{end}'::timestamptz - interval '1 day' * (370 - course * 12 - {version} * 2) + interval '1 second' * (n %% 90000)
"""
GRADE = "CASE block %% 3 WHEN 0 THEN NULL ELSE block %% 3 - 1 END"

# Made-up digests: no page computes any.
DIGEST = "decode('01', 'hex') || sha256(convert_to({row} || '.' || {version}, 'UTF8'))"

USERS = """
INSERT INTO auth_user
  (id, username, email, password, first_name, last_name, is_staff, is_superuser, is_active, date_joined)
SELECT n, 'learner' || n, 'learner' || n || '@school.example', '', '', '', n = 1, n = 1, true, now()
FROM generate_series(1, %s) n
"""
ROWS = f"""
INSERT INTO xblock_kvstore_studentmodule
  (id, student_id, course_id, module_state_key, module_type, state, grade, max_grade, done, version, created, modified,
   digest)
SELECT n, learner, course_id, usage_key, type, %s, {GRADE}, 1, 'na', v, written, written,
  {DIGEST.format(row="n", version="v")}
FROM (SELECT *, {KEYS} FROM (SELECT *, {TYPED}, {WRITTEN.format(end="{end}", version="v")} AS written
  FROM (SELECT n, %s AS v, {OF_ROW} FROM generate_series(1, %s) n) a) b) c
"""  # noqa: S608  made of the constants above
ENTRIES = f"""
INSERT INTO xblock_history_studentmodulehistory
  (student_module_id, version, action, student_id, course_id, module_state_key, module_type, state, grade, max_grade,
   created, reason, request_id, actor_id, transaction_id, previous, digest)
SELECT n, v, CASE v WHEN 1 THEN 'created' ELSE 'changed' END, learner, course_id, usage_key, type, %s,
  {GRADE}, 1, written, '', '', learner, n * 1000000000::bigint + v,
  CASE WHEN v > 1 THEN {DIGEST.format(row="n", version="v - 1")} END, {DIGEST.format(row="n", version="v")}
FROM (SELECT *, {KEYS} FROM (SELECT *, {TYPED}, {WRITTEN.format(end="{end}", version="v")} AS written
  FROM (SELECT n, v, {OF_ROW} FROM generate_series(1, %s) n, generate_series(1, %s) v) a) b) c
ORDER BY written
"""  # noqa: S608  likewise
# One row has a long history: each version a little more than the one before, hours apart.
LONG_ROW, LONGEST = 4711, 2_000
LONG_HISTORY = f"""
INSERT INTO xblock_history_studentmodulehistory
  (student_module_id, version, action, student_id, course_id, module_state_key, module_type, state, grade, max_grade,
   created, reason, request_id, actor_id, transaction_id, previous, digest)
SELECT student_module_id, v, 'changed', student_id, course_id, module_state_key, module_type,
  '{{"attempts": ' || v || ', "student_answers": {{"p_2_1": "choice_' || v %% 5 || '"}}, "notes": "'
    || repeat('x', 1800) || '"}}',
  v %% 3, 2, created + interval '1 second' * v, '', 'request-' || v, student_id, v,
  {DIGEST.format(row="student_module_id", version="v - 1")}, {DIGEST.format(row="student_module_id", version="v")}
FROM xblock_history_studentmodulehistory, generate_series(version + 1, %s) v
WHERE student_module_id = %s AND version = (
  SELECT max(version) FROM xblock_history_studentmodulehistory WHERE student_module_id = %s)
"""  # noqa: S608  likewise


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=LEARNERS * BLOCKS)
    parser.add_argument("--versions", type=int, default=10)
    parser.add_argument("--no-fill", action="store_true")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    from django.test.utils import setup_test_environment

    setup_test_environment()
    if not options.no_fill:
        fill(options.rows, options.versions)
    report(options.rows * options.versions)


def fill(rows: int, versions: int) -> None:
    from django.db import connections
    from django.utils import timezone

    end = timezone.now().isoformat()
    state, history = (connections[alias] for alias in ("default", "student_module_history"))
    with state.cursor() as cursor:
        cursor.execute(USERS, [LEARNERS])
        cursor.execute(ROWS.replace("{end}", end), [STATE, versions, rows])
        cursor.execute("VACUUM ANALYZE")
    with history.cursor() as cursor:
        cursor.execute(ENTRIES.replace("{end}", end), [STATE, rows, versions])
        cursor.execute("VACUUM ANALYZE")
    lengthen(state, history)


def lengthen(state: Any, history: Any) -> None:
    """Give one row its long history."""
    with history.cursor() as cursor:
        cursor.execute(LONG_HISTORY, [LONGEST, LONG_ROW, LONG_ROW])
        cursor.execute(
            "SELECT created, digest FROM xblock_history_studentmodulehistory "
            "WHERE student_module_id = %s AND version = %s",
            [LONG_ROW, LONGEST],
        )
        modified, digest = cursor.fetchone()
    with state.cursor() as cursor:
        cursor.execute(
            "UPDATE xblock_kvstore_studentmodule SET version = %s, modified = %s, digest = %s WHERE id = %s",
            [LONGEST, modified, digest, LONG_ROW],
        )


def report(entries: int) -> None:
    from django.contrib.auth import get_user_model
    from django.test import Client

    client = Client()
    client.force_login(get_user_model().objects.get(pk=1))
    print(f"{entries:,} entries, {RUNS} warm runs\n")
    print("| page | median ms | slowest ms | queries default | history | COUNT | rows shown |")
    print("|---|---|---|---|---|---|---|")
    for name, address in pages():
        print(f"| {name} | {' | '.join(str(value) for value in measured(client, address))} |", flush=True)


def measured(client: Any, address: str) -> tuple[Any, ...]:
    from django.db import connections
    from django.test.utils import CaptureQueriesContext

    times = []
    for _ in range(RUNS + 2):
        started = time.perf_counter()
        response = client.get(address)
        times.append((time.perf_counter() - started) * 1000)
        assert response.status_code == 200, (address, response.status_code)
    captured = [CaptureQueriesContext(connections[alias]) for alias in ("default", "student_module_history")]
    with captured[0] as state, captured[1] as history:
        response = client.get(address)
    counts = sum("COUNT(" in query["sql"].upper() for query in [*state, *history])
    warm = times[2:]
    median, slowest = round(statistics.median(warm), 1), round(max(warm), 1)
    return median, slowest, len(state), len(history), counts, shown(response.context)


def shown(context: Any) -> int:
    """Return how many rows or versions a page shows."""
    return len(context["cl"].result_list) if "cl" in context else len(context.get("steps", [context.get("step")]))


def pages() -> list[tuple[str, str]]:
    """Return the name and the address of each measured page."""
    from tests.admin.lists.case import HISTORY_LIST, STATE_LIST

    course, old_course = "course-v1:Org+Course+Run29", "course-v1:Org+Course+Run0"
    block = "block-v1:Org+Course+Run29+type@problem+block@b7"
    address = f"https://learn.school.example/courses/{course}/jump_to/{quote(block, safe='')}"
    searches = {
        "learner:": "learner:learner29",
        "a user name": "learner30",
        "an e-mail address": "learner30@school.example",
        "course:, the newest": f"course:{course}",
        "course:, the oldest": f"course:{old_course}",
        "block:": f"block:{block}",
        "a block's address": address,
        "learner: and block:": f"learner:learner30 block:{block}",
        "learner: and course:": f"learner:learner30 course:{course}",
        "id:": "id:4711",
        "nobody": "nobody",
    }
    filters = {
        "course": {"course": course},
        "type": {"type": "poll"},
        "type, none such": {"type": "video"},
        "type of a course": {"course": old_course, "type": "poll"},
        "grade: any": {"grade": "any"},
        "grade: zero": {"grade": "zero"},
        "grade: full": {"grade": "full"},
        "last hour, none": {"last": "hour"},
        "last 30 days": {"last": "month"},
        "from - until": {"from": "2026-01-01", "until": "2026-06-01"},
        "course and last 30 days, none": {"course": old_course, "last": "month"},
        "course, type, none such": {"course": old_course, "type": "video"},
    }
    measured = []
    for list_name, url in (("history", HISTORY_LIST), ("state", STATE_LIST)):
        measured += [(f"{list_name}: first page", url)]
        measured += [(f"{list_name}: page at depth {depth:,}", url + deep(url, depth)) for depth in (1_000, 100_000)]
        measured += [
            (f"{list_name}: {name}, at depth 50,000", url + deep(url, 50_000, course_id=key))
            for name, key in (("newest course", course), ("oldest course", old_course))
            if list_name == "history"
        ]
        measured += [(f"{list_name}: {name}", f"{url}?{urlencode({'q': text})}") for name, text in searches.items()]
        measured += [(f"{list_name}: {name}", f"{url}?{urlencode(query)}") for name, query in filters.items()]
    actions = {"action: created": {"action": "created"}, "action: restored, none": {"action": "restored"}}
    measured += [(f"history: {name}", f"{HISTORY_LIST}?{urlencode(query)}") for name, query in actions.items()]
    return measured + block_pages()


def block_pages() -> list[tuple[str, str]]:
    """Return the pages of the block that has a long history."""
    from django.urls import reverse

    def page(name: str, *args: int) -> str:
        return reverse(f"admin:xblock_history_{name}", args=[LONG_ROW, *args])

    long = f"a block of {LONGEST:,} versions"
    return [
        (f"{long}: timeline", page("timeline")),
        (f"{long}: timeline, its oldest versions", f"{page('timeline')}?older=50"),
        (f"{long}: a version", page("version", 1000)),
        (f"{long}: compare", f"{page('compare')}?a=1&b={LONGEST}"),
        (f"{long}: restore, the preview", page("restore", 1)),
        (f"{long}: the state's page", reverse("admin:xblock_kvstore_studentmodule_change", args=[LONG_ROW])),
    ]


def deep(url: str, depth: int, **lookups: Any) -> str:
    """Return the query of the page that begins ``depth`` rows down a list, as in the links of earlier pages."""
    from history.models import StudentModuleHistory
    from kvstore.models import StudentModule
    from tests.admin.lists.case import HISTORY_LIST

    query = {"course": lookups["course_id"]} if lookups else {}
    if url == HISTORY_LIST:
        newest = StudentModuleHistory.objects.filter(**lookups).order_by("-created", "-student_module_id")
        created, row_id = newest.values_list("created", "student_module_id")[depth]
        return "?" + urlencode(query | {"after": f"{created.isoformat()},{row_id}"})
    return "?" + urlencode(query | {"after": StudentModule.objects.order_by("-id").values_list("id", flat=True)[depth]})


if __name__ == "__main__":
    main()
