"""Putting a version of a learner's state back, on top of what came after it."""

from typing import Any

from history.conf import is_recorded
from history.exceptions import RestoreRefused
from history.models import Entry
from history.reading.outline import find_entry
from history.reading.ownership import RowOwner
from kvstore.keys import BlockAddress, block_address
from kvstore.signals import DELETED, RESTORED
from kvstore.storage.writing import if_version, write_states
from kvstore.versioning import codec
from kvstore.versioning.context import RestoredFrom, change_context, restoring_from
from kvstore.versioning.digests import digest_of
from kvstore.versioning.versions import Row, Values


def restore(entry: Entry, *, expected_version: int, reason: str, actor: Any = None, grade: bool = False) -> int:
    """Put the state of a version back as the next version of its block, and return that version's number.

    What is put back is read from the history: of ``entry`` counts only which version it is. ``expected_version`` is
    the version that the row was at when somebody decided this, 0 where there is no row; should it be at another one
    now, nothing is written. The score is put back too if ``grade``, and stays as it is otherwise. The new version's
    entry has the action ``restored``, the actor, the reason, and where its state came from.

    Raises RestoreRefused for what cannot be put back or would change nothing, StateMoved where somebody wrote
    meanwhile, UnusableContext for a reason that an entry cannot hold, HistoryUnavailable, or what a write raises.
    """
    if not reason.strip():
        raise RestoreRefused("A version is not put back without a reason; say why.")
    address = block_address(entry.module_state_key, entry.course_id)
    values = _restorable(_committed(entry, address))

    def put_back(row: Row) -> Values:
        # The same fields may stand there with other white space: then there is nothing to put back.
        same = row.version and codec.same_state(row.state, values.state)
        state = row.state if same else values.state
        return values._replace(state=state) if grade else row.values._replace(state=state)

    with (
        change_context(actor=actor, reason=reason),
        restoring_from(RestoredFrom(entry.student_module_id, entry.version)),
    ):
        changes = {address: if_version(expected_version, put_back)}
        rows = write_states(entry.student_id, changes, create=True, action=RESTORED)
    version = rows[address].version
    if version == expected_version:
        raise RestoreRefused(f"Version {entry.version} says what the state holds already; nothing was written.")
    return version


def _committed(entry: Entry, address: BlockAddress) -> Entry:
    """Return the entry as the history has it."""
    owner = RowOwner(entry.student_id, address, 0)
    found: Entry | None = find_entry(owner, entry.student_module_id, entry.version, bytes(entry.digest).hex())
    if found is None:
        raise RestoreRefused(f"There is no {entry} in the history; nothing was written.")
    if digest_of(found.as_version()) != found.digest:
        raise RestoreRefused(f"Version {found.version} does not have the digest of its values: the entry was altered.")
    return found


def _restorable(entry: Entry) -> Values:
    if entry.action == DELETED:
        raise RestoreRefused(f"Version {entry.version} says that the row was deleted; choose one before it.")
    if not is_recorded(entry.module_type):
        raise RestoreRefused(
            f"Blocks of type {entry.module_type!r} are not recorded, so the restored version would leave no entry; "
            "add the type to HISTORY_BLOCK_TYPES."
        )
    try:
        codec.loads_state(entry.state)
    except ValueError as error:
        raise RestoreRefused(f"Version {entry.version} holds no readable state: {error}.") from error
    return Values(entry.state, entry.grade, entry.max_grade)
