"""Removes the entries of deleted rows, where the project's setting says that nothing of them shall stay."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import DatabaseError, InterfaceError, connections, models, router, transaction
from django.utils.connection import ConnectionDoesNotExist

from history.conf import conf
from history.deadline import bounded, unavailable_while_locked
from history.models import PendingHistory, StudentModuleHistory
from kvstore.signals import DELETED, StateVersion
from kvstore.transactions import in_transaction

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


def erase_entries(row_id: int, identity: Mapping[str, Any]) -> None:
    """Remove all entries of a row with this identity, delivered and waiting. Raises the error of the database."""
    using = router.db_for_write(PendingHistory)
    waiting = PendingHistory.objects.using(using).filter(student_module_id=row_id, **identity)
    delivered: models.QuerySet[Any] = models.QuerySet(
        StudentModuleHistory, using=router.db_for_write(StudentModuleHistory)
    )

    def erase() -> None:
        # Locked: this waits for a delivery that has them in hand, and no other brings one in behind. Should the
        # history database fail, all of them stay, the row's end among them, which says that the rest may go.
        found = list(waiting.select_for_update().values_list("pk", flat=True))
        with unavailable_while_locked(delivered.db):
            delivered.filter(student_module_id=row_id, **identity).delete()
        waiting.filter(pk__in=found).delete()

    in_transaction(erase, using=using)


def _erase_all(ended: Sequence[StateVersion]) -> None:
    connection = None
    try:
        connection = connections[router.db_for_write(StudentModuleHistory)]
        with bounded(connection, conf.HISTORY_TIMEOUT):
            for version in ended:
                identity = {name: getattr(version, name) for name in ("student_id", "course_id", "module_state_key")}
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
