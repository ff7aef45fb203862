"""The one write path for the state of a learner's blocks, however many."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.db import IntegrityError, router

from kvstore.conf import conf
from kvstore.exceptions import StateMoved, UnknownLearner
from kvstore.keys import BlockAddress
from kvstore.models import StudentModule
from kvstore.signals import CHANGED, CREATED
from kvstore.storage.reading import TABLE, parsed
from kvstore.versioning import codec, rows, versions
from kvstore.versioning.chunks import chunked
from kvstore.versioning.context import Origin, current_origin
from kvstore.versioning.transactions import in_transaction
from kvstore.versioning.versions import Row, Values

RowChange = Callable[[Row], Values]
"""Computes what a row shall say next from the locked row; its own values where nothing changes. It must not write."""

EMPTIED = codec.dumps({})


def set_fields(fields: Mapping[str, Any]) -> RowChange:
    """Return the change that sets these fields, all storable, and leaves a block's other fields alone."""

    def change(row: Row) -> Values:
        stored = parsed(TABLE, row.id, row.state)
        if row.state is not None and all(_holds(stored, name, value) for name, value in fields.items()):
            return row.values
        return row.values._replace(state=codec.dumps({**stored, **fields}))

    return change


def remove_fields(names: frozenset[str] | None) -> RowChange:
    """Return the change that removes these fields, or with None every field. A state that never was stays so."""

    def remove(row: Row) -> Values:
        if names is None:
            # What cannot be read can still be emptied.
            emptied = row.state is None or codec.same_state(row.state, EMPTIED)
            return row.values if emptied else row.values._replace(state=EMPTIED)
        stored = parsed(TABLE, row.id, row.state)
        kept = {name: value for name, value in stored.items() if name not in names}
        return row.values if len(kept) == len(stored) else row.values._replace(state=codec.dumps(kept))

    return remove


def set_grade(grade: float | None, max_grade: float | None) -> RowChange:
    """Return the change that sets the score and leaves the state alone."""
    return lambda row: row.values._replace(grade=grade, max_grade=max_grade)


def if_version(expected_version: int, change: RowChange) -> RowChange:
    """Return ``change``, to be made only to a row that is at this version still (0: to one that is not there)."""

    def change_unless_moved(row: Row) -> Values:
        if row.version != expected_version:
            raise StateMoved(expected_version, row.version)
        return change(row)

    return change_unless_moved


def write_states(
    student_id: int, changes: Mapping[BlockAddress, RowChange], *, create: bool, action: str | None = None
) -> dict[BlockAddress, Row]:
    """Make every change to a learner's blocks, or none of them, and return the rows as they are then stored.

    The rows are locked in the order of their ids, in chunks, before the first is written: SELECT FOR UPDATE and
    one write for each chunk, whatever the number of blocks in it. A block without a row gets one when ``create``,
    and is passed over otherwise. A change that changes nothing makes no version. ``action`` is what the versions are
    announced as, in place of created or changed.

    Raises CorruptState, UnknownLearner, WriteConflict, what a change raises, or the error of the database; then
    nothing is stored.
    """
    if not changes:
        return {}
    using = router.db_for_write(StudentModule)
    try:
        # Only an insert can be raced, so only writes that may insert need a savepoint to come back to.
        return in_transaction(
            lambda: _write(student_id, changes, using, create=create, action=action),
            using=using,
            savepoint=create,
            retry_insert=create,
        )
    except IntegrityError as error:
        if not get_user_model()._base_manager.using(using).filter(pk=student_id).exists():
            raise UnknownLearner(f"There is no user with id {student_id}; nothing was stored.") from error
        raise


def record_present_state(row_id: int) -> None:
    """Make the present values of a row its next version, where the history lacks them. A row that is gone stays so."""
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


def _holds(stored: Mapping[str, Any], name: str, value: Any) -> bool:
    """Return whether a field has this very value; 1 equals true in Python and not in a learner's answer."""
    return name in stored and stored[name] == value and codec.dumps(stored[name]) == codec.dumps(value)
