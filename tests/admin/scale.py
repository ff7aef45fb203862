"""Fills two databases of PostgreSQL or MariaDB with three million entries, and measures the admin over them.

    DATABASE_URL=... HISTORY_DATABASE_URL=... python -m tests.admin.scale [--rows 300000] [--versions 10] [--no-fill]
        [--only TEXT]

Both databases must be migrated; filled, too, with --no-fill. Prints a Markdown table: for each page the median and the
slowest of its warm runs in milliseconds, its queries on each database, and how many of them count rows. Courses follow
each other in time, as they do, so that the rows of one are far from the newest.
"""

import argparse
import os
import re
import statistics
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import django

LEARNERS, COURSES, BLOCKS = 20_000, 30, 15
RUNS = 9

# SQL that differs between the databases: integer division, a sequence of numbers, a digest, a time.
POSTGRESQL = {
    "div": "/",
    "series": "generate_series(1, {most}) {name}",
    "digest": "decode('01', 'hex') || sha256(convert_to({row} || '.' || ({version}), 'UTF8'))",
    "ago": "'{end}'::timestamptz - interval '1 second' * ({seconds})",
}
MYSQL = {
    "div": "DIV",
    "series": "(SELECT seq AS {name} FROM seq_1_to_{most}) {name}_series",
    "digest": "CONCAT(UNHEX('01'), UNHEX(SHA2(CONCAT({row}, '.', {version}), 256)))",
    "ago": "TIMESTAMPADD(SECOND, -({seconds}), '{end}')",
}

# A row n is of a learner, of the learner's course, and of one of its blocks.
OF_ROW = f"""
  (n - 1) @div@ {BLOCKS} + 1 AS learner, ((n - 1) @div@ {BLOCKS}) % {COURSES} AS course, (n - 1) % {BLOCKS} AS block
"""
KEYS = """
  CONCAT('course-v1:Org+Course+Run', course) AS course_id,
  CONCAT('block-v1:Org+Course+Run', course, '+type@', type, '+block@b', block) AS usage_key
"""
TYPED = "CASE WHEN block % 5 = 0 THEN 'poll' ELSE 'problem' END AS type"
SECONDS = "86400 * (370 - course * 12 - v * 2) - n % 90000"
# Most versions change the number of attempts. Some lose a field, all fields or the grade, and the next has them again.
STATE = """
  CASE WHEN (n + v) % 1009 = 0 THEN '{}'
    WHEN (n + v) % 101 = 0 THEN CONCAT('{"attempts": ', v, ', "seed": 1, "done": true}')
    ELSE CONCAT('{"student_answers": {"p_2_1": "choice_', v % 4, '"}, "attempts": ', v, ', "seed": 1, "done": true}')
  END
"""
GRADE = "CASE WHEN block % 3 = 0 THEN NULL WHEN (n + v) % 97 = 0 THEN 0 ELSE block % 3 END"
ACTOR = "CASE WHEN (n + v) % 50 = 0 THEN 1 ELSE learner END"
REASON = "CASE WHEN (n + v) % 50 = 0 THEN 'regrade of the autumn term' ELSE '' END"
# The last version of every thousandth row is of one job.
REQUEST = "CASE WHEN v = {versions} AND n % 1000 = 0 THEN 'nightly-job' ELSE CONCAT('request-', n, '-', v) END"

USERS = """
INSERT INTO auth_user
  (id, username, email, password, first_name, last_name, is_staff, is_superuser, is_active, date_joined)
SELECT n, CONCAT('learner', n), CONCAT('learner', n, '@school.example'), '', CONCAT('First', n % 1000),
  CONCAT('Family', n), n = 1, n = 1, true, now()
FROM @series:n:{learners}@
"""
ROWS = f"""
INSERT INTO xblock_kvstore_studentmodule
  (id, student_id, course_id, module_state_key, module_type, state, grade, max_grade, done, version, created, modified,
   digest)
SELECT n, learner, course_id, usage_key, type, {STATE}, {GRADE}, 2, 'na', v, written, written, @digest:n:v@
FROM (SELECT typed.*, {KEYS} FROM (SELECT one.*, {TYPED}, @ago@ AS written
  FROM (SELECT n, {{versions}} AS v, {OF_ROW} FROM @series:n:{{rows}}@) one) typed) keyed
"""  # noqa: S608  made of the constants above
ENTRIES = f"""
INSERT INTO xblock_history_studentmodulehistory
  (student_module_id, version, action, student_id, course_id, module_state_key, module_type, state, grade, max_grade,
   created, reason, request_id, actor_id, transaction_id, previous, digest)
SELECT n, v, CASE v WHEN 1 THEN 'created' ELSE 'changed' END, learner, course_id, usage_key, type, {STATE}, {GRADE}, 2,
  written, {REASON}, {REQUEST}, {ACTOR}, CAST(n AS DECIMAL(18)) * 100000 + v,
  CASE WHEN v > 1 THEN @digest:n:v - 1@ END, @digest:n:v@
FROM (SELECT typed.*, {KEYS} FROM (SELECT one.*, {TYPED}, @ago@ AS written
  FROM (SELECT n, v, {OF_ROW} FROM @series:n:{{rows}}@, @series:v:{{versions}}@) one) typed) keyed
ORDER BY written
"""  # noqa: S608  likewise
# One row has a long history: each version a little more than the one before, hours apart.
LONG_ROW, LONGEST = 4711, 2_000
LONG_HISTORY = """
INSERT INTO xblock_history_studentmodulehistory
  (student_module_id, version, action, student_id, course_id, module_state_key, module_type, state, grade, max_grade,
   created, reason, request_id, actor_id, transaction_id, previous, digest)
SELECT student_module_id, v, 'changed', student_id, course_id, module_state_key, module_type,
  CONCAT('{"attempts": ', v, ', "student_answers": {"p_2_1": "choice_', v % 5, '"}, "notes": "',
    repeat('x', 1800), '"}'),
  v % 3, 2, @later@, '', CONCAT('request-', v), student_id, v,
  @digest:student_module_id:v - 1@, @digest:student_module_id:v@
FROM xblock_history_studentmodulehistory, @series:v:{longest}@
WHERE student_module_id = {long_row} AND version = {versions} AND v > {versions}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=LEARNERS * BLOCKS)
    parser.add_argument("--versions", type=int, default=10)
    parser.add_argument("--no-fill", action="store_true")
    parser.add_argument("--only", default="", help="measure the pages with this text in their names")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    from django.test.utils import setup_test_environment

    setup_test_environment()
    if not options.no_fill:
        fill(options.rows, options.versions)
    report(options.rows * options.versions, options.only)


def fill(rows: int, versions: int) -> None:
    from django.db import connections

    numbers = {"learners": LEARNERS, "rows": rows, "versions": versions, "longest": LONGEST, "long_row": LONG_ROW}
    state, history = (connections[alias] for alias in ("default", "student_module_history"))
    for connection, statements in ((state, (USERS, ROWS)), (history, (ENTRIES, LONG_HISTORY))):
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(in_dialect(connection.vendor, statement, numbers))
    lengthen(state, history)
    for connection in (state, history):
        tables = [name for name in connection.introspection.table_names() if "student" in name or name == "auth_user"]
        with connection.cursor() as cursor:
            cursor.execute(
                "VACUUM ANALYZE" if connection.vendor == "postgresql" else f"ANALYZE TABLE {','.join(tables)}"
            )


def in_dialect(vendor: str, statement: str, numbers: dict[str, int]) -> str:
    """Return a statement with the expressions of a database, and with these numbers."""
    dialect = POSTGRESQL if vendor == "postgresql" else MYSQL
    end = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S" + ("+00" if vendor == "postgresql" else ""))
    for name, number in numbers.items():
        statement = statement.replace(f"{{{name}}}", str(number))
    later = dialect["ago"].replace("'{end}'::timestamptz", "created").replace("'{end}'", "created")
    statement = statement.replace("@div@", dialect["div"]).replace("@later@", later.format(seconds="-v"))
    statement = statement.replace("@ago@", dialect["ago"].format(end=end, seconds=SECONDS))
    statement = re.sub("@series:(.+?):(.+?)@", lambda m: dialect["series"].format(name=m[1], most=m[2]), statement)
    return re.sub("@digest:(.+?):(.+?)@", lambda m: dialect["digest"].format(row=m[1], version=m[2]), statement)


def lengthen(state: Any, history: Any) -> None:
    """Give one row the last version of its long history."""
    with history.cursor() as cursor:
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


def report(entries: int, only: str) -> None:
    from django.contrib.auth import get_user_model
    from django.test import Client

    client = Client()
    client.force_login(get_user_model().objects.get(pk=1))
    print(f"{entries:,} entries, {RUNS} warm runs\n")
    print("| page | median ms | slowest ms | queries default | history | COUNT | rows shown |")
    print("|---|---|---|---|---|---|---|")
    for name, address in pages():
        if only in name:
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
        "a last name": "FAMILY30",
        "a part of a name": "amily1234",
        "first and last name": "first30 family30",
        "a short block id": "b7",
        "a short block id and a name": "family30 b7",
    }
    of_entries = {
        "actor:": "actor:learner30",
        "reason:": "reason:regrade",
        "request:": "request:request-4711-3",
        "request: and course:": f"request:nightly-job course:{course}",
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
    of_history = {
        "action: created": {"action": "created"},
        "action: restored, none": {"action": "restored"},
        "flag: any": {"flag": "any"},
        "flag: emptied": {"flag": "answers-emptied"},
        "flag: grade decreased": {"flag": "grade-decreased"},
        "flag: attempts decreased, none": {"flag": "attempts-decreased"},
        "course and flag: any": {"course": old_course, "flag": "any"},
        **{f"search by {name}": {"q": text} for name, text in of_entries.items()},
    }
    measured += [(f"history: {name}", f"{HISTORY_LIST}?{urlencode(query)}") for name, query in of_history.items()]
    return measured + learner_pages(course) + incident_pages(course) + block_pages()


def learner_pages(course: str) -> list[tuple[str, str]]:
    from django.urls import reverse

    url = reverse("admin:xblock_history_learner", args=[30])
    return [
        ("learner: courses", url),
        ("learner: blocks of a course", f"{url}?{urlencode({'course': course})}"),
        ("learner: blocks a month ago", f"{url}?{urlencode({'course': course, 'moment': month_ago()})}"),
    ]


def incident_pages(course: str) -> list[tuple[str, str]]:
    from django.urls import reverse

    url = reverse("admin:xblock_history_incident")
    return [
        ("incident: the form", url),
        (
            "incident: request of a course, 10 rows",
            f"{url}?{urlencode({'request_id': 'nightly-job', 'course': course})}",
        ),
        ("incident: request alone, too many entries to search", f"{url}?{urlencode({'request_id': 'nightly-job'})}"),
    ]


def month_ago() -> str:
    return (datetime.now(UTC) - timedelta(days=30)).strftime("%Y-%m-%d")


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
