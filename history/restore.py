"""Restores an old version of a learner's state as a new version."""

from typing import Any

from history.conf import is_recorded
from history.exceptions import RestoreRefused
from history.models import Entry
from history.reading.outline import find_entry
from history.reading.ownership import RowOwner
from kvstore.signals import DELETED, RESTORED
from kvstore.storage.changes import if_version
from kvstore.storage.writing import write_states
from kvstore.versioning import codec
from kvstore.versioning.context import RestoredFrom, change_context, restoring_from
from kvstore.versioning.digests import digest_of
from kvstore.versioning.versions import Row, Values


def restore(entry: Entry, *, expected_version: int, reason: str, actor: Any = None, grade: bool = False) -> int:
    """Write the state of a version as the next version of its block, and return the new version's number.

    ``entry`` only identifies the version; its state is read from the history. If the row is no longer at
    ``expected_version`` (0: no row), nothing is written. With ``grade`` the score is restored too; otherwise it stays
    unchanged. The new entry has the action ``restored``, the actor, the reason, and the restored row id and version.

    Raises RestoreRefused if the version cannot be restored or would change nothing, StateMoved if the row is at another
    version, UnusableContext for an invalid reason or actor, HistoryUnavailable, or an error of the write.
    """
    if not reason.strip():
        raise RestoreRefused("A restore needs a reason. Nothing was written.")
    stored = _committed(entry)
    values = _restorable(stored)

    def restore_values(row: Row) -> Values:
        # If only the white space differs, the state is kept: then the write makes no version.
        same = row.version and codec.same_state(row.state, values.state)
        state = row.state if same else values.state
        return values._replace(state=state) if grade else row.values._replace(state=state)

    with (
        change_context(actor=actor, reason=reason),
        restoring_from(RestoredFrom(stored.student_module_id, stored.version)),
    ):
        changes = {stored.address: if_version(expected_version, restore_values)}
        rows = write_states(stored.student_id, changes, create=True, action=RESTORED)
    row = rows[stored.address]
    if row.version == expected_version:
        raise _unchanged(stored, row.values)
    return row.version


def _unchanged(stored: Entry, current: Values) -> RestoreRefused:
    has_equal_grade = current[1:] == (stored.grade, stored.max_grade)
    rest = "and the same grade" if has_equal_grade else "but not its grade; restore the grade too"
    return RestoreRefused(f"The row already has the state of version {stored.version} {rest}. Nothing was written.")


def _committed(entry: Entry) -> Entry:
    owner = RowOwner(entry.student_id, entry.address, 0)
    stored: Entry | None = find_entry(owner, entry.student_module_id, entry.version, bytes(entry.digest).hex())
    if stored is None:
        raise RestoreRefused(f"The history does not contain {entry}. Nothing was written.")
    if digest_of(stored.as_version()) != stored.digest:
        raise RestoreRefused(f"Version {stored.version} was altered: its values do not match its digest.")
    return stored


def _restorable(entry: Entry) -> Values:
    if entry.action == DELETED:
        raise RestoreRefused(f"Version {entry.version} records the deletion of the row. Choose an earlier version.")
    if not is_recorded(entry.module_type):
        raise RestoreRefused(
            f"Blocks of type {entry.module_type!r} are not recorded, so the restored version would have no entry. "
            "Add the type to HISTORY_BLOCK_TYPES."
        )
    try:
        codec.loads_state(entry.state)
    except ValueError as error:
        raise RestoreRefused(f"The state of version {entry.version} is not readable: {error}.") from error
    return Values(entry.state, entry.grade, entry.max_grade)
