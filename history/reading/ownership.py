"""Whose state a row keeps, or kept before it was deleted."""

from typing import NamedTuple

from django.db import router

from history.database.connection import read_history
from history.models import Entry, PendingHistory, StudentModuleHistory
from kvstore.keys import BlockAddress
from kvstore.models import StudentModule
from kvstore.storage.reading import stored_text

DELETED = StudentModuleHistory.Action.DELETED


class RowOwner(NamedTuple):
    """A learner, and the block that the learner's row is for."""

    student_id: int
    address: BlockAddress
    version: int
    """that of the row; 0 where it is gone"""

    @property
    def course_id(self) -> str:
        """The course, as text: what a permission for one course looks at, on entries and rows too."""
        return self.address.course_id


def find_owner(row_id: int) -> RowOwner | None:
    """Return whose a row is or was; None where no such row was ever committed. Raises HistoryUnavailable.

    Only an entry that says ``deleted`` proves that a row which is gone was there: it commits with the deletion.
    """
    rows = StudentModule.objects.using(router.db_for_write(StudentModule)).filter(pk=row_id)
    columns = ("student_id", stored_text("course_id"), stored_text("module_state_key"), "module_type", "version")
    for student_id, *address, version in rows.values_list(*columns):
        return RowOwner(student_id, BlockAddress(*address), version)
    waiting = PendingHistory.objects.using(router.db_for_write(PendingHistory)).filter(student_module_id=row_id)
    for ending in waiting.filter(action=DELETED).defer("state"):
        return _owner(ending)
    delivered = StudentModuleHistory.objects.using(router.db_for_write(StudentModuleHistory))
    ends = delivered.filter(student_module_id=row_id, action=DELETED).defer("state").order_by("-version")
    for entry in read_history(lambda: list(ends[:1])):
        return _owner(entry)
    return None


def _owner(entry: Entry) -> RowOwner:
    address = BlockAddress(str(entry.course_id), str(entry.module_state_key), entry.module_type)
    return RowOwner(entry.student_id, address, 0)
