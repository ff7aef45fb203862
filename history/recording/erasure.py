"""Erasure: removes the entries of deleted rows if HISTORY_ON_DELETE is "erase"."""

import logging
from collections.abc import Sequence
from typing import Any

from django.db import router, transaction
from django.utils import timezone

from history.conf import conf
from history.database.connection import FAILURES, history_connection
from history.database.deadline import unavailable_while_locked
from history.models import IDENTIFYING_COLUMNS, Erasure, PendingHistory, StudentModuleHistory
from history.recording.pending import pending_entries
from kvstore.querysets import unguarded
from kvstore.signals import DELETED, StateVersion
from kvstore.versioning import sql
from kvstore.versioning.transactions import in_transaction

logger = logging.getLogger("history")

ERASE = "erase"


def erase_when_committed(versions: Sequence[StateVersion], using: str) -> None:
    """Erase the entries of the rows that these versions delete, after the deletion commits.

    Not before: the deletion may be rolled back. If the history database fails, the entries remain, each row's last one
    ``deleted``, and ``verify_history --repair`` erases them.
    """
    deletions = [version for version in versions if version.action == DELETED]
    if deletions and conf.HISTORY_ON_DELETE == ERASE:
        transaction.on_commit(lambda: _erase_all(deletions), using=using)


def erase_entries(row_id: int, identity: tuple[int, str, str]) -> None:
    """Remove all entries, delivered and pending, of a deleted row with this learner, course and block.

    An Erasure is stored first: it tells an erased sealed entry from one that was removed otherwise. Raises the error of
    the database.
    """
    own = dict(zip(("student_id", "course_id", "module_state_key"), identity, strict=True), student_module_id=row_id)
    pending = pending_entries().filter(**own)
    delivered = unguarded(StudentModuleHistory, router.db_for_write(StudentModuleHistory)).filter(**own)

    def erase() -> None:
        # The lock waits for a delivery of these entries and prevents another. If the history database fails, all
        # entries remain, also ``deleted``, without which the others could not be erased later.
        locked: list[tuple[Any, ...]] = list(pending.select_for_update().values_list("pk", "version", "digest"))
        with unavailable_while_locked(delivered.db):
            stored = list(delivered.values_list("pk", "version", "digest"))
            if locked or stored:
                _store_erasure(row_id, [values[1:] for values in locked + stored])
            delivered.delete()
        pending_entries().filter(pk__in=[values[0] for values in locked]).delete()

    in_transaction(erase, using=router.db_for_write(PendingHistory))


def _store_erasure(row_id: int, versions: Sequence[tuple[int, bytes]]) -> None:
    version, digest = max(versions)
    columns = (*IDENTIFYING_COLUMNS, "entries", "created")
    values = (row_id, version, digest, len(set(versions)), timezone.now())
    using = router.db_for_write(Erasure)
    sql.insert_missing(Erasure, columns, [values], using, unique_columns=IDENTIFYING_COLUMNS)


def _erase_all(deletions: Sequence[StateVersion]) -> None:
    try:
        with history_connection():
            for version in deletions:
                identity = (version.student_id, version.course_id, version.module_state_key)
                erase_entries(version.student_module_id, identity)
    except FAILURES as error:
        logger.error(
            "The entries of %s deleted rows were not erased. Run `manage.py verify_history --repair`. Error: %s",
            len(deletions),
            error,
            extra={"event": "erasure_failed"},
        )
