"""Writes each version of a recorded block into the history database, before it commits in the state's.

Should the state's transaction roll back, its entry names a version that the row does not reach; readers leave it
out, and the version that really comes next takes its place. Should the entry fail, the state's write fails with it.
"""

from collections.abc import Sequence
from typing import Any

from django.db import DatabaseError, router
from django.utils.connection import ConnectionDoesNotExist

from history.conf import is_recorded
from history.context import Change, current_change
from history.exceptions import HistoryUnavailable
from history.models import StudentModuleHistory
from kvstore.signals import StateVersion, state_written
from kvstore.statements import upsert

# What says which version it is; written over, all the rest.
KEY = ("student_module_id", "version")
CONTENT = [field.name for field in StudentModuleHistory._meta.concrete_fields if field.name not in (*KEY, "id")]


def connect() -> None:
    """Record every version from now on."""
    state_written.connect(record, dispatch_uid="xblock_history.record")


def record(versions: Sequence[StateVersion], **kwargs: Any) -> None:
    """Write entries for those versions whose block type is recorded. Raises HistoryUnavailable."""
    recorded = [version for version in versions if is_recorded(version.module_type)]
    if recorded:
        change = current_change()
        write_entries([entry_of(version, change) for version in recorded])


def entry_of(version: StateVersion, change: Change) -> StudentModuleHistory:
    """Return the entry of a version, not yet written."""
    columns = version._asdict()
    return StudentModuleHistory(
        **{name: value for name, value in columns.items() if name != "modified"},
        created=version.modified,
        actor_id=change.actor_id,
        reason=change.reason,
        request_id=change.request_id,
    )


def write_entries(entries: Sequence[StudentModuleHistory]) -> None:
    """Write entries in one statement, over those of the same versions: such a one is this one or never happened."""
    using = router.db_for_write(StudentModuleHistory)
    try:
        upsert(entries, using, unique_fields=KEY, update_fields=CONTENT)
    except (DatabaseError, ConnectionDoesNotExist) as error:
        raise HistoryUnavailable(
            f"History database {using!r} did not take {len(entries)} entries, so the state was not stored: {error}. "
            f"Check that it can be reached and run `manage.py migrate --database {using}`."
        ) from error
