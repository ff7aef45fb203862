"""Fills large tables with INSERT ... SELECT on every database."""
# ruff: noqa: S608  names of tables and columns only, all of them constants

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.contrib.auth import get_user_model
from django.db import connections

from bench import course
from bench.contenders.raw_sql import ENTRIES, MODULES
from history.models import StudentModuleHistory

BYTES = {"mysql": "BINARY", "sqlite": "BLOB"}
LONG_AGO = "2026-01-05 08:00:00"
DIGIT = " UNION ALL ".join(f"SELECT {digit} AS d" for digit in range(10))


def numbers(start: int, end: int) -> str:
    """Return a portable subquery with one column ``n``, from ``start`` to ``end`` - 1."""
    places = range(len(str(end - 1)))
    value = " + ".join(f"{10**place} * p{place}.d" for place in places)
    tables = " CROSS JOIN ".join(f"({DIGIT}) p{place}" for place in places)
    return f"(SELECT {value} AS n FROM {tables} WHERE {value} >= {start} AND {value} < {end}) numbers"


def joined(vendor: str, *parts: str) -> str:
    """Return the expression that concatenates texts."""
    return f"CONCAT({', '.join(parts)})" if vendor == "mysql" else f"({' || '.join(parts)})"


def block_key(vendor: str, number: str) -> str:
    """Return the expression for the usage key of the block with a number; the name is a hash, as in a real course."""
    stem = str(course.COURSE.make_usage_key("problem", "x"))[:-1].replace("%", "%%")
    text = f"CAST({number} AS CHAR(20))" if vendor == "mysql" else f"CAST({number} AS VARCHAR(20))"
    return joined(vendor, f"'{stem}'", f"MD5({text})")


def digest(vendor: str, row_id: str, version: str) -> str:
    """Return the expression for an invented digest of a version, of the length of a real one."""
    kind = "CHAR(20)" if vendor == "mysql" else "VARCHAR(20)"
    number = joined(vendor, f"CAST({row_id} AS {kind})", "'.'", f"CAST({version} AS {kind})")
    text = joined(vendor, "CHR(1)" if vendor == "postgresql" else "CHAR(1)", f"MD5({number})")
    return f"CONVERT_TO({text}, 'UTF8')" if vendor == "postgresql" else f"CAST({text} AS {BYTES[vendor]})"


def fill_course(rows: int, learners: int, shape: course.Shape) -> None:
    """Insert ``rows`` states, ordered by block and then by learner."""
    connection = connections["default"]
    users = [course.new_learner() for _ in range(learners)]
    get_user_model().objects.bulk_create(users)
    first = get_user_model().objects.order_by("pk").values_list("pk", flat=True)[0]
    before, _, after = course.text(shape.state(11) | {"seed": "HERE"}).partition('"HERE"')
    state = joined(connection.vendor, "%s", "n", "%s")
    block = block_key(connection.vendor, f"n - n %% {learners}")
    invented = digest(connection.vendor, "n", "1")
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {MODULES} (student_id, course_id, module_state_key, module_type, state, done, version, "
            f"created, modified, digest) SELECT {first} + n %% {learners}, %s, {block}, 'problem', {state}, 'na', 1, "
            f"%s, %s, {invented} FROM {numbers(0, rows)} ORDER BY n",
            [str(course.COURSE), before, after, LONG_AGO, LONG_AGO],
        )


def fill_history(alias: str, entries: int, versions: int) -> None:
    """Insert short entries, ``versions`` of each row, in ascending order of version.

    The rows have even ids. The case writes rows with odd ids, so its entries are between these in the indexes.
    """
    # A newly built index has full pages, which split at the first writes. The last entries are inserted after the
    # indexes are built, so that the pages have free space, as in an index that has grown.
    packed = entries - entries // 8
    rows = entries // versions
    with without_indexes(alias):
        _insert_entries(alias, rows, numbers(0, packed))
    _insert_entries(alias, rows, numbers(packed, entries))


def _insert_entries(alias: str, rows: int, numbers: str) -> None:
    connection = connections[alias]
    block = block_key(connection.vendor, f"n %% {rows}")
    state = joined(connection.vendor, "'{\"attempts\":'", "n", '\',"done":false,"seed":7}\'')
    row_id, version = f"2 * (n %% {rows} + 1)", f"(n - n %% {rows}) / {rows} + 1"
    previous = f"CASE WHEN n < {rows} THEN NULL ELSE {digest(connection.vendor, 'row_id', 'version - 1')} END"
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {ENTRIES} (student_module_id, version, action, student_id, course_id, module_state_key, "
            "module_type, state, created, reason, request_id, transaction_id, previous, digest) "
            f"SELECT row_id, version, 'changed', 1 + n %% 997, %s, {block}, 'problem', {state}, %s, '', '', n + 1, "
            f"{previous}, {digest(connection.vendor, 'row_id', 'version')} "
            f"FROM (SELECT n, {row_id} AS row_id, {version} AS version FROM {numbers}) entries ORDER BY n",
            [str(course.COURSE), LONG_AGO],
        )


@contextmanager
def without_indexes(alias: str) -> Iterator[None]:
    """Drop the history's indexes and build them afterwards, which is faster than maintaining them."""
    with connections[alias].schema_editor() as editor:
        for index in StudentModuleHistory._meta.indexes:
            editor.remove_index(StudentModuleHistory, index)
    yield
    with connections[alias].schema_editor() as editor:
        for index in StudentModuleHistory._meta.indexes:
            editor.add_index(StudentModuleHistory, index)


def insert_rows(learner_id: int, ids: Sequence[int], keys: Sequence[str], states: Sequence[str]) -> None:
    """Insert a learner's rows with these ids, each at version 1."""
    connection = connections["default"]
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {MODULES} (id, student_id, course_id, module_state_key, module_type, state, done, version, "
            "created, modified, digest) "
            f"VALUES (%s, %s, %s, %s, 'problem', %s, 'na', 1, %s, %s, {digest(connection.vendor, '%s', '1')})",
            [
                (row_id, learner_id, str(course.COURSE), key, state, LONG_AGO, LONG_AGO, row_id)
                for row_id, key, state in zip(ids, keys, states, strict=True)
            ],
        )
