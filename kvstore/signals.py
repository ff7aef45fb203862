"""The signal that kvstore sends for every version of a row, inside the transaction that writes the version.

Bulk statements send no ``post_save``; this signal is sent for every write, once for all its rows. A receiver
that raises makes the write fail and roll back.
"""

from datetime import datetime
from typing import NamedTuple

from django.dispatch import Signal

CREATED = "created"
CHANGED = "changed"
DELETED = "deleted"
RESTORED = "restored"


class StateVersion(NamedTuple):
    """One version of one learner's state of one block, complete: an entry of the history has the same columns.

    ``digest`` covers all other values; see :mod:`kvstore.versioning.digests`.
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
    """JSON text of the block's fields; None where the learner never had any or the row is deleted"""
    grade: float | None
    max_grade: float | None
    created: datetime
    """when the version was written, UTC; the row's ``modified``"""
    actor_id: int | None
    reason: str
    request_id: str
    source_id: int | None
    """the row whose version was restored; None for any other action"""
    source_version: int | None
    transaction_id: int
    """a random number that all versions of one transaction share; 0 where the transaction is unknown"""
    previous: bytes | None
    """the digest of the row's previous version; None for the first"""
    digest: bytes


state_written = Signal()
"""Sent by StateVersion with ``versions``, a list of StateVersion, and ``using``, the alias they are written to.

The rows are locked and written; the transaction is not yet committed.
"""
