"""Find the usage keys that end with a short block id, in the courses and block types that have state."""

import re
from typing import NamedTuple

from django.db import connections, router
from opaque_keys.edx.keys import LearningContextKey, UsageKey

from kvstore.keys import key_from_text
from kvstore.models import StudentModule

SHORT_ID = re.compile(r"[\w.~%-]{1,150}", re.ASCII)
MAX_FOUND = 20
"""keys that a search returns"""
MOST_TYPES = 5_000
"""pairs of a course and a block type that a search examines, in the order of course keys"""

COURSE_PREFIX, BLOCK_PREFIX = "course-v1:", "block-v1:"

# Each step reads one row of the index of course and block type. PostgreSQL has no other way to skip equal values.
SKIPPED = """
WITH RECURSIVE pairs (course_id, module_type, place) AS (
  (SELECT course_id, module_type, 1 FROM {table} WHERE {only} ORDER BY course_id, module_type LIMIT 1)
  UNION ALL
  SELECT following.course_id, following.module_type, pairs.place + 1
  FROM pairs CROSS JOIN LATERAL (
    SELECT course_id, module_type FROM {table}
    WHERE (course_id, module_type) > (pairs.course_id, pairs.module_type) AND {only}
    ORDER BY course_id, module_type LIMIT 1
  ) following
  WHERE pairs.place < {most}
)
"""
# MySQL and MariaDB skip equal values of an index by themselves.
DISTINCT = """
WITH pairs AS (SELECT DISTINCT course_id, module_type FROM {table} WHERE {only} LIMIT {most})
"""
KEYS = """
SELECT found FROM (
  SELECT (SELECT module_state_key FROM {table} blocks WHERE blocks.module_state_key = {key} LIMIT 1) AS found FROM pairs
) candidates WHERE found IS NOT NULL ORDER BY found LIMIT {shown}
"""


class FoundBlocks(NamedTuple):
    """The result of a search for a short block id."""

    keys: list[UsageKey]
    more: bool = False
    """whether further blocks have this id"""


def find_blocks(short_id: str, course_key: LearningContextKey | None = None) -> FoundBlocks:
    """Return the keys of blocks with state and this id, MAX_FOUND at most; with ``course_key``, in this course.

    Finds keys of the form ``block-v1:`` only. Examines MOST_TYPES pairs of a course and a block type at most. Each pair
    takes two look-ups in an index, whatever the number of rows.
    """
    if not SHORT_ID.fullmatch(short_id):
        return FoundBlocks([])
    alias = router.db_for_write(StudentModule)
    course = None if course_key is None else str(course_key)
    statement, parameters = _statement(connections[alias].vendor, short_id, course)
    with connections[alias].cursor() as cursor:
        cursor.execute(statement, parameters)
        keys = [key_from_text(text, UsageKey) for (text,) in cursor.fetchall()]
    return FoundBlocks(keys[:MAX_FOUND], len(keys) > MAX_FOUND)


def _statement(vendor: str, short_id: str, course: str | None) -> tuple[str, list[str]]:
    template, repeated = (SKIPPED, 2) if vendor == "postgresql" else (DISTINCT, 1)
    only, values = ("TRUE", []) if course is None else ("course_id = %s", [course] * repeated)
    part = f"SUBSTR(pairs.course_id, {len(COURSE_PREFIX) + 1})"
    parts = (f"'{BLOCK_PREFIX}'", part, "'+type@'", "pairs.module_type", "'+block@'", "%s")
    key = f"CONCAT({', '.join(parts)})" if vendor == "mysql" else " || ".join(parts)
    statement = (template + KEYS).format(
        table=StudentModule._meta.db_table, only=only, most=MOST_TYPES, key=key, shown=MAX_FOUND + 1
    )
    return statement, [*values, short_id]
