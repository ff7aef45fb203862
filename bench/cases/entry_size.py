"""Bytes on disk of one history entry: its row, including TOAST, and its share of the indexes."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connections, models

from bench import course
from bench.case import PER_BLOCK, SIMPLE_HISTORY, STORE, Case, Limit, Measurement, Options, Target
from bench.databases import clear
from bench.models import PerBlockHistory, SimpleHistoryModule
from bench.settings import HISTORY
from history.models import StudentModuleHistory
from kvstore.versioning.digests import FORMAT

MODULES = 200
LEARNERS = 40
BATCH = 500
BEGAN = datetime(2026, 1, 5, 8, tzinfo=UTC)
SIZES = """
SELECT pg_relation_size(c.oid) + CASE WHEN reltoastrelid = 0 THEN 0 ELSE pg_total_relation_size(reltoastrelid) END,
  pg_indexes_size(c.oid)
FROM pg_class c WHERE c.oid = %s::regclass
"""
Entry = Callable[[int, int, str, datetime], models.Model]


def measure(options: Options) -> Iterator[Measurement]:
    versions = options.of(30, 5)
    for variant, state, targets, limits in VARIANTS:
        sizes = {name: bytes_of(entry, versions, state) for name, entry in ENTRIES.items()}
        clear()
        samples = {name: [row + index] for name, (row, index) in sizes.items()}
        parts = ", ".join(f"{name} {row:,.0f} + {index:,.0f}" for name, (row, index) in sizes.items())
        note = f"Row + indexes: {parts}. {MODULES * versions:,} entries of each, inserted in the order of their times."
        yield Measurement("entry_size", variant, "bytes", samples, targets, limits, note)


def answered(number: int) -> str:
    return course.text(course.long_state(number))


def short(number: int) -> str:
    return course.text(course.short_state(number))


def prose(number: int) -> str:
    return course.text({"essay": course.prose(number, course.LONG_LENGTH - len('{"essay":""}'))})


# Row and indexes of one entry of the smallest peer, with states that hardly compress.
SMALLEST_PEER = 1476 + 95
LIKE_PER_BLOCK = Target(STORE, PER_BLOCK, at_most=1.25)
VARIANTS = [
    ("250 characters of an answered problem", short, [Target(STORE, PER_BLOCK)], []),
    ("2,000 characters of an answered problem", answered, [LIKE_PER_BLOCK], []),
    ("2,000 characters of prose, hardly compressible", prose, [LIKE_PER_BLOCK], [Limit(STORE, 1.25 * SMALLEST_PEER)]),
]


def store_entry(module: int, version: int, state: str, at: datetime) -> StudentModuleHistory:
    return StudentModuleHistory(
        student_module_id=module,
        version=version,
        action="changed",
        student_id=module % LEARNERS,
        course_id=course.COURSE,
        module_state_key=course.usage_key(module // LEARNERS),
        module_type="problem",
        state=state,
        created=at,
        actor_id=module % LEARNERS,
        request_id=f"{module:08x}-{version:04x}-4000-8000-000000000000",
        transaction_id=2**62 + module * 1000 + version,
        previous=digest(module, version - 1) if version > 1 else None,
        digest=digest(module, version),
    )


def digest(module: int, version: int) -> bytes:
    """Return an invented digest of a version, as incompressible as a real one."""
    return bytes([FORMAT]) + hashlib.sha256(f"{module}.{version}".encode()).digest()


def per_block_entry(module: int, version: int, state: str, at: datetime) -> PerBlockHistory:
    return PerBlockHistory(student_module_id=module, state=state, created=at)


def simple_history_entry(module: int, version: int, state: str, at: datetime) -> Any:
    return SimpleHistoryModule.history.model(
        id=module,
        student_id=module % LEARNERS,
        course_id=str(course.COURSE),
        module_state_key=str(course.usage_key(module // LEARNERS)),
        module_type="problem",
        state=state,
        created=BEGAN,
        modified=at,
        history_date=at,
        history_type="~",
        history_user_id=module % LEARNERS,
    )


# The report compares the first with the others.
ENTRIES: dict[str, Entry] = {STORE: store_entry, PER_BLOCK: per_block_entry, SIMPLE_HISTORY: simple_history_entry}


def bytes_of(entry: Entry, versions: int, state: Callable[[int], str]) -> tuple[float, float]:
    """Return the mean bytes of an entry's row and of its indexes."""
    model = type(entry(0, 1, "{}", BEGAN))
    order = [(module, version) for version in range(1, versions + 1) for module in range(1, MODULES + 1)]
    for start in range(0, len(order), BATCH):
        model._base_manager.using(HISTORY).bulk_create(made(entry, state, order[start : start + BATCH], start))
    with connections[HISTORY].cursor() as cursor:
        cursor.execute(SIZES, [model._meta.db_table])
        row, indexes = cursor.fetchone()
    return row / len(order), indexes / len(order)


def made(entry: Entry, state: Callable[[int], str], order: Sequence[tuple[int, int]], start: int) -> list[models.Model]:
    """Return entries with ascending times, each with the state of its version."""
    return [
        entry(module, version, state(module * 1000 + version), BEGAN + timedelta(seconds=7 * (start + place)))
        for place, (module, version) in enumerate(order)
    ]


REASON = "only PostgreSQL reports the size of a table and of its indexes"
CASE = Case("entry_size", "Bytes per history entry", measure, left_out={"mysql": REASON, "sqlite": REASON})
