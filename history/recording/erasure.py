"""Removes the entries of deleted rows, where the project's setting says that nothing of them shall stay."""

import logging
from collections.abc import Sequence
from typing import Any

from django.db import DatabaseError, InterfaceError, connections, models, router, transaction
from django.utils import timezone
from django.utils.connection import ConnectionDoesNotExist

from history.conf import conf
from history.database.deadline import bounded, unavailable_while_locked
from history.models import IDENTIFYING_COLUMNS, Erasure, PendingHistory, StudentModuleHistory
from kvstore.signals import DELETED, StateVersion
from kvstore.versioning import sql
from kvstore.versioning.transactions import in_transaction

logger = logging.getLogger("history")

ERASE = "erase"


def erase_when_committed(versions: Sequence[StateVersion], using: str) -> None:
    """Erase the entries of the rows that these versions delete, once their deletion is committed.

    Not before: a deletion that is rolled back must not cost the history. Should the history database fail then, the
    entries stay, each row's ending in ``deleted``, and ``verify_history --repair`` erases them.
    """
    ended = [version for version in versions if version.action == DELETED]
    if ended and conf.HISTORY_ON_DELETE == ERASE:
        transaction.on_commit(lambda: _erase_all(ended), using=using)


def erase_entries(row_id: int, identity: tuple[int, str, str]) -> None:
    """Remove all entries of a deleted row with this learner, course and block, delivered and pending.

    Records the erasure first, so that a sealed entry that is erased is told from one that was removed otherwise.
    Raises the error of the database.
    """
    using = router.db_for_write(PendingHistory)
    own = dict(zip(("student_id", "course_id", "module_state_key"), identity, strict=True), student_module_id=row_id)
    pending = PendingHistory.objects.using(using).filter(**own)
    delivered: models.QuerySet[Any] = models.QuerySet(
        StudentModuleHistory, using=router.db_for_write(StudentModuleHistory)
    )

    def erase() -> None:
        # Locked: this waits for a delivery that has them in hand, and no other brings one in behind. If the history
        # database fails, all of them stay, the row's deletion among them, which allows to erase the others.
        found = list(pending.select_for_update().values_list("pk", "version", "digest"))
        with unavailable_while_locked(delivered.db):
            stored = list(delivered.filter(**own).values_list("pk", "version", "digest"))
            if found or stored:
                _record(row_id, [values[1:] for values in found + stored])
            delivered.filter(**own).delete()
        pending.filter(pk__in=[values[0] for values in found]).delete()

    in_transaction(erase, using=using)


def _record(row_id: int, versions: Sequence[tuple[int, bytes]]) -> None:
    version, digest = max(versions)
    columns = (*IDENTIFYING_COLUMNS, "entries", "created")
    values = (row_id, version, digest, len(set(versions)), timezone.now())
    using = router.db_for_write(Erasure)
    sql.insert_missing(Erasure, columns, [values], using, unique_columns=IDENTIFYING_COLUMNS)


def _erase_all(ended: Sequence[StateVersion]) -> None:
    connection = None
    try:
        connection = connections[router.db_for_write(StudentModuleHistory)]
        with bounded(connection, conf.HISTORY_TIMEOUT):
            for version in ended:
                identity = (version.student_id, version.course_id, version.module_state_key)
                erase_entries(version.student_module_id, identity)
    except (DatabaseError, InterfaceError, ConnectionDoesNotExist) as error:
        logger.error(
            "Entries of %s deleted rows were not erased; verify_history --repair will: %s",
            len(ended),
            error,
            extra={"event": "erasure_failed"},
        )
        if connection is not None and not connection.in_atomic_block:
            connection.close()
