# ruff: noqa: S608  names of tables and columns only, and those are in this file
"""The store's tables and columns, and the raw contender's statements that are the same on every database."""

from collections.abc import Callable

from bench.contenders.raw_version import Batch

MODULES = "xblock_kvstore_studentmodule"
ENTRIES = "xblock_history_studentmodulehistory"
PENDING = "xblock_history_pendinghistory"

ENTRY = (
    "student_module_id, version, action, student_id, course_id, module_state_key, module_type, state, grade, "
    "max_grade, created, reason, request_id, transaction_id, previous, digest"
)
NOT_STORED = "ON CONFLICT (student_module_id, version, digest) DO NOTHING"
"""end of an INSERT of entries; the equivalent clauses of MySQL need more than the INSERT privilege"""

VERSION = "state, created, version, previous, digest"
BLOCK = "student_id = %s AND module_state_key = %s AND course_id = %s"
CURRENT = f"SELECT id, version, digest FROM {MODULES} WHERE {BLOCK}"
NOT_DELIVERED = f"SELECT {VERSION} FROM {PENDING} WHERE {BLOCK} ORDER BY version DESC"
DELIVERED = f"SELECT {VERSION} FROM {ENTRIES} WHERE student_module_id = %s AND {BLOCK} ORDER BY version DESC"


def locked(digest_in_hex: str, modified: str = "modified") -> str:
    """Return the SELECT of the columns that a write reads."""
    return f"SELECT id, module_state_key, state, grade, max_grade, version, {modified}, {digest_in_hex} FROM {MODULES}"


def walk(vendor: str) -> str:
    """Return the SELECT of all states of a course."""
    # Otherwise MySQL reads the learners first, and looks up the rows of each across the whole table.
    straight_join = "STRAIGHT_JOIN " if vendor == "mysql" else ""
    placeholder = "?" if vendor == "sqlite" else "%s"
    return (
        f"SELECT {straight_join}u.username, m.module_state_key, m.state, m.modified FROM {MODULES} m "
        f"JOIN auth_user u ON u.id = m.student_id WHERE m.course_id = {placeholder} AND m.state IS NOT NULL"
    )


def entry_rows(batch: Batch, now: str, binary: Callable[[str], str]) -> str:
    """Return the entries of a batch as VALUES; only the states are parameters.

    A driver's time for a statement grows with the number of parameters. ``binary`` returns a hexadecimal digest as SQL.
    """
    identity = f"'changed',{batch.learner_id},'{batch.course_id}'"
    rest = f"{now},'','',{batch.transaction_id}"
    return ",".join(
        [
            f"({row_id},{version},{identity},'{key}','problem',%s,{number(grade)},{number(max_grade)},{rest},"
            f"{'NULL' if previous is None else binary(previous)},{binary(digest)})"
            for row_id, version, key, _, _, grade, max_grade, previous, digest in batch.versions
        ]
    )


def number(grade: float | None) -> str:
    """Return a grade as an SQL literal."""
    return "NULL" if grade is None else repr(grade)
