"""The only write path for the state and the scores of a learner's blocks."""

from collections.abc import Mapping
from datetime import datetime

from django.contrib.auth import get_user_model
from django.db import IntegrityError, router

from kvstore.conf import conf
from kvstore.exceptions import UnknownLearner, WriteConflict
from kvstore.keys import BlockAddress
from kvstore.models import StudentModule
from kvstore.signals import CHANGED, CREATED
from kvstore.storage.changes import RowChange
from kvstore.versioning import rows, versions
from kvstore.versioning.context import Origin, current_origin
from kvstore.versioning.sql import chunked
from kvstore.versioning.transactions import in_transaction
from kvstore.versioning.versions import Row, Values

ROW_EXISTS = StudentModule._meta.total_unique_constraints[0].name

INVISIBLE_ROW = (
    "Another transaction created the row of a block after the snapshot of this transaction, which can neither read nor "
    "create the row. Nothing was stored. Repeat the whole transaction, or use READ COMMITTED."
)


def write_states(
    student_id: int, changes: Mapping[BlockAddress, RowChange], *, create: bool, action: str | None = None
) -> dict[BlockAddress, Row]:
    """Make all changes to a learner's blocks, or none, and return the stored rows.

    Locks all rows first, in chunks in the order of ids: each chunk takes one SELECT FOR UPDATE and one write. A block
    without a row gets one if ``create``, and is skipped otherwise. ``action`` replaces the actions created and
    changed of the versions.

    Raises CorruptState, UnknownLearner, WriteConflict, the errors of the changes, or the error of the database; then
    nothing is stored.
    """
    if not changes:
        return {}
    using = router.db_for_write(StudentModule)
    try:
        # A concurrent insert can fail only a write that inserts, so only that needs a savepoint to retry.
        return in_transaction(
            lambda: _write(student_id, changes, using, create=create, action=action),
            using=using,
            savepoint=create,
            retry_insert=create,
        )
    except IntegrityError as error:
        if not get_user_model()._base_manager.using(using).filter(pk=student_id).exists():
            raise UnknownLearner(f"The user with id {student_id} does not exist; nothing was stored.") from error
        # PostgreSQL at REPEATABLE READ, after the attempts of in_transaction. Only psycopg's errors have ``diag``.
        if getattr(getattr(error.__cause__, "diag", None), "constraint_name", "") == ROW_EXISTS:
            raise WriteConflict(INVISIBLE_ROW) from error
        raise


def record_present_state(row_id: int) -> None:
    """Make a version of a row's present values, which the history lacks. Ignores a missing row."""
    using = router.db_for_write(StudentModule)

    def write() -> None:
        row = rows.lock_by_id(StudentModule, row_id, using)
        if row is not None:
            _write_chunk([(row, row.values)], using, versions.now(), current_origin(using), CHANGED)

    in_transaction(write, using=using, savepoint=False)


def _write(
    student_id: int, changes: Mapping[BlockAddress, RowChange], using: str, *, create: bool, action: str | None
) -> dict[BlockAddress, Row]:
    size = conf.KVSTORE_CHUNK_SIZE
    locked: dict[tuple[str, str], Row] = {}
    for addresses in chunked(list(changes), size):
        locked |= rows.lock(StudentModule, student_id, addresses, using)
    found = {address: locked.get(address[:2]) or Row(student_id, *address) for address in changes}
    if not create:
        found = {address: row for address, row in found.items() if row.id is not None}
    wanted = [(row, changes[address](row)) for address, row in found.items()]
    changed = [(row, values) for row, values in wanted if row.id is None or values != row.values]
    if changed:
        now, origin = versions.now(), current_origin(using)
        for chunk in chunked(changed, size):
            _write_chunk(chunk, using, now, origin, action)
    return found


def _write_chunk(
    chunk: list[tuple[Row, Values]], using: str, now: datetime, origin: Origin, action: str | None
) -> None:
    new = [row for row, _values in chunk if row.id is None]
    known = [row for row, _values in chunk if row.id is not None]
    made = [
        versions.make_next_version(row, values, now, origin, action or (CREATED if row.id is None else CHANGED))
        for row, values in chunk
    ]
    if new:
        rows.insert(StudentModule, new, using)
    if known:
        rows.update(StudentModule, known, using)
    versions.announce(rows.with_ids(made, [row for row, _values in chunk]), using)
