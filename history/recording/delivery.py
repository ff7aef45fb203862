"""Moves entries that wait beside the state into the history database, oldest first, by any number of hands."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.db import DatabaseError, DataError, IntegrityError, InterfaceError, connections, models, router
from django.utils.connection import ConnectionDoesNotExist

from history.conf import conf
from history.database.deadline import bounded, unavailable_while_locked
from history.models import PendingHistory, StudentModuleHistory
from history.recording.write_ahead import write_entries
from kvstore.versioning.transactions import in_transaction

logger = logging.getLogger("history")

BATCH_SIZE = 500
DELIVERY_TIMEOUT_FACTOR = 10
"""how many times longer than one write a batch may take"""

UNREACHABLE = (DatabaseError, InterfaceError, ConnectionDoesNotExist)
REFUSED = (DataError, IntegrityError)


@dataclass
class Delivery:
    """What one run of :func:`deliver` did."""

    delivered: int = 0
    refused: int = 0
    """entries that the history database did not take although it took others; they wait on"""
    stopped: bool = False
    """whether it ended at its limit or because it was asked to"""
    error: BaseException | None = None
    """why a batch was not delivered: the history database did not take it, or the state's failed"""


def deliver(
    *,
    batch_size: int = BATCH_SIZE,
    limit: int | None = None,
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[int], object] = lambda count: None,
) -> Delivery:
    """Deliver until nothing waits that nobody else is delivering, or until ``limit`` or ``stop``.

    Safe to run twice, or many times at once. A batch is inserted into the history database and then deleted from the
    state's, in one transaction of the latter: a crash in between leaves it to be inserted again, over itself. A batch
    that is refused is tried entry by entry, so that one cannot hold up the others.
    """
    result = Delivery()
    after = 0
    while True:
        size = batch_size if limit is None else min(batch_size, limit - result.delivered)
        if stop() or size <= 0:
            result.stopped = True
            return result
        try:
            last = _deliver_batch(result, after, size)
        except UNREACHABLE as error:
            result.error = error
            logger.error("Entries cannot be delivered: %s", error, extra={"event": "delivery_failed"})
            return result
        progress(result.delivered)
        if last is None:
            return result
        after = last


def waiting() -> models.QuerySet[PendingHistory]:
    """Return the entries that wait, on the database that they are deleted from."""
    return PendingHistory.objects.using(router.db_for_write(PendingHistory))


def _deliver_batch(result: Delivery, after: int, size: int) -> int | None:
    """Deliver up to ``size`` entries above the id ``after``; return the last id seen, None at the end."""
    using = router.db_for_write(PendingHistory)
    skip_locked = connections[using].features.has_select_for_update_skip_locked

    def move() -> tuple[list[PendingHistory], list[PendingHistory]]:
        batch = list(waiting().filter(pk__gt=after).order_by("pk").select_for_update(skip_locked=skip_locked)[:size])
        taken = _insert(batch) if batch else []
        waiting().filter(pk__in=[entry.pk for entry in taken]).delete()
        return batch, taken

    # MySQL may look at rows of another delivery to delete these, and then one of them has to give way.
    batch, taken = in_transaction(move, using=using)
    if not batch:
        return None
    result.delivered += len(taken)
    result.refused += len(batch) - len(taken)
    if taken:
        logger.info("Delivered %s entries.", len(taken), extra={"event": "delivered", "count": len(taken)})
    return batch[-1].pk


def _insert(batch: Sequence[PendingHistory]) -> list[PendingHistory]:
    """Insert a batch into the history database, or as much of it as it takes. Raises where it cannot be reached."""
    connection = connections[router.db_for_write(StudentModuleHistory)]
    try:
        with (
            unavailable_while_locked(connection.alias),
            bounded(connection, conf.HISTORY_TIMEOUT, timeout_factor=DELIVERY_TIMEOUT_FACTOR),
        ):
            return _insert_each(batch)
    except UNREACHABLE:
        if not connection.in_atomic_block:
            # The next run begins with a new connection, as this one may be dead.
            connection.close()
        raise


def _insert_each(batch: Sequence[PendingHistory]) -> list[PendingHistory]:
    try:
        write_entries([entry.as_version() for entry in batch])
    except REFUSED as error:
        if len(batch) > 1:
            return [entry for entry in batch if _insert_each([entry])]
        logger.error("An entry was refused: %s: %s", batch[0], error, extra={"event": "refused"})
        return []
    return list(batch)
