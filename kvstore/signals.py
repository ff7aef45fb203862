"""The signal for new versions. Every write sends it, bulk writes included, inside the transaction of the write."""

from datetime import datetime
from typing import NamedTuple

from django.dispatch import Signal

CREATED = "created"
CHANGED = "changed"
DELETED = "deleted"
RESTORED = "restored"


class StateVersion(NamedTuple):
    """One version of a learner's state of a block; a history entry has the same columns.

    ``digest`` covers all other values.
    """

    student_module_id: int
    version: int
    action: str
    """created, changed, deleted or restored"""
    student_id: int
    course_id: str
    module_state_key: str
    module_type: str
    state: str | None
    """JSON text of the block's fields; None if the learner never had any, or for a deletion"""
    grade: float | None
    max_grade: float | None
    created: datetime
    """time of the write in UTC; the row's ``modified``"""
    actor_id: int | None
    reason: str
    request_id: str
    source_id: int | None
    """id of the row from which a version was restored; None for other actions"""
    source_version: int | None
    transaction_id: int
    """a random number that the versions of one transaction share; 0 if unknown"""
    previous: bytes | None
    """digest of the row's previous version; None for the first"""
    digest: bytes


state_written = Signal()
"""Sent by StateVersion once for each statement, with ``versions``, a list of StateVersion, and ``using``, the alias.

The rows are locked and written; the transaction is not committed yet. An exception in a receiver rolls the write back.
"""
