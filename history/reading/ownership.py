"""Finds the learner and the block of a row, also of a deleted one."""

from typing import NamedTuple

from history.database.connection import read_history
from history.models import PendingHistory, StudentModuleHistory
from history.querysets import on_primary
from kvstore.keys import BlockAddress
from kvstore.models import StudentModule
from kvstore.signals import DELETED
from kvstore.storage.reading import stored_text


class RowOwner(NamedTuple):
    """The learner and the block of a row."""

    student_id: int
    address: BlockAddress
    version: int
    """the version of the row; 0 if it was deleted"""

    @property
    def course_id(self) -> str:
        """The course as text. Permissions for one course read this attribute, of entries and rows too."""
        return self.address.course_id


def find_owner(row_id: int) -> RowOwner | None:
    """Return the owner of a row, None if no row with this id was ever committed. Raises HistoryUnavailable.

    Only a ``deleted`` entry proves that a missing row existed: it commits with the deletion.
    """
    rows = on_primary(StudentModule).filter(pk=row_id)
    columns = ("student_id", stored_text("course_id"), stored_text("module_state_key"), "module_type", "version")
    for student_id, *address, version in rows.values_list(*columns):
        return RowOwner(student_id, BlockAddress(*address), version)
    deletions = {"student_module_id": row_id, "action": DELETED}
    for pending in on_primary(PendingHistory).filter(**deletions).defer("state"):
        return RowOwner(pending.student_id, pending.address, 0)
    delivered = on_primary(StudentModuleHistory).filter(**deletions).defer("state").order_by("-version")
    for entry in read_history(lambda: list(delivered[:1])):
        return RowOwner(entry.student_id, entry.address, 0)
    return None
