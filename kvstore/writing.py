"""The one write path for the state of a learner's blocks, however many."""

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib.auth import get_user_model
from django.db import IntegrityError, router

from kvstore import codec, versions
from kvstore.chunks import chunked
from kvstore.conf import conf
from kvstore.exceptions import UnknownLearner
from kvstore.keys import BlockAddress
from kvstore.models import StudentModule
from kvstore.transactions import in_transaction
from kvstore.versions import Values

Change = Callable[[StudentModule], Values]
"""Computes what a row shall say next from the locked row; it must not write."""


def overlay(fields: Mapping[str, Any]) -> Change:
    """Return the change that sets these fields, all storable, and leaves a block's other fields alone."""
    return lambda row: row.values._replace(state=codec.dumps({**versions.fields_of(row), **fields}))


def removal(names: frozenset[str] | None) -> Change:
    """Return the change that removes these fields, or with None every field. A state that never was stays so."""

    def remove(row: StudentModule) -> Values:
        if row.state is None:
            return row.values
        kept = {} if names is None else {n: v for n, v in versions.fields_of(row).items() if n not in names}
        return row.values._replace(state=codec.dumps(kept))

    return remove


def scoring(grade: float | None, max_grade: float | None) -> Change:
    """Return the change that sets the score and leaves the state alone."""
    return lambda row: row.values._replace(grade=grade, max_grade=max_grade)


def write_states(
    student_id: int, changes: Mapping[BlockAddress, Change], *, create: bool, action: str | None = None
) -> dict[BlockAddress, StudentModule]:
    """Make every change to a learner's blocks, or none of them, and return the rows as they are then stored.

    The rows are locked in the order of their ids, in chunks, before the first is written: SELECT FOR UPDATE and
    one write for each chunk, whatever the number of blocks in it. A block without a row gets one when ``create``,
    and is passed over otherwise. A change that changes nothing makes no version. ``action`` is what the versions are
    announced as, in place of created or changed.

    Raises CorruptState, UnknownLearner, WriteConflict, or the error of the database; then nothing is stored.
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


def _write(
    student_id: int, changes: Mapping[BlockAddress, Change], using: str, *, create: bool, action: str | None
) -> dict[BlockAddress, StudentModule]:
    size = conf.KVSTORE_CHUNK_SIZE
    locked: dict[tuple[str, str], StudentModule] = {}
    for addresses in chunked(list(changes), size):
        locked.update(_lock(student_id, addresses, using))
    now = versions.now()
    rows = {}
    written = []
    for address, change in changes.items():
        row = locked.get(address[:2]) or (_new_row(student_id, address) if create else None)
        if row is not None:
            rows[address] = row
            if versions.advance(row, change(row), now):
                written.append(row)
    for chunk in chunked(written, size):
        versions.write_rows(chunk, using, action=action)
    return rows


def _lock(student_id: int, addresses: list[BlockAddress], using: str) -> dict[tuple[str, str], StudentModule]:
    rows = versions.plain_rows(StudentModule, using).filter(
        student_id=student_id,
        module_state_key__in=[address.usage_key for address in addresses],
        course_id__in={address.course_id for address in addresses},
    )
    return {row.address: row for row in rows.order_by("pk").select_for_update()}


def _new_row(student_id: int, address: BlockAddress) -> StudentModule:
    return StudentModule(
        student_id=student_id,
        course_id=address.course_id,
        module_state_key=address.usage_key,
        module_type=address.block_type,
    )
