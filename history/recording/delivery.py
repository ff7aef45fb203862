"""Delivery: moves pending entries to the history database, oldest first. Several deliveries may run at once."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from django.db import connections, router
from django.utils import timezone

from history.database.connection import FAILURES, history_connection
from history.database.deadline import unavailable_while_locked
from history.models import PendingHistory, StudentModuleHistory
from history.recording.pending import pending_entries
from history.recording.write_ahead import REJECTED, write_entries
from kvstore.versioning.transactions import in_transaction

logger = logging.getLogger("history")

BATCH_SIZE = 500
"""entries"""
DELIVERY_TIMEOUT_FACTOR = 10
"""how many times HISTORY_TIMEOUT a batch may take"""


@dataclass
class Delivery:
    """The result of one call of :func:`deliver`."""

    delivered: int = 0
    refused: int = 0
    """entries that the history database rejected although it accepted others; they stay pending"""
    error: BaseException | None = None
    """the error of either database that ended the delivery"""


def deliver(
    *,
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[int], object] = lambda count: None,
) -> Delivery:
    """Deliver all pending entries that no other delivery has locked, or until ``stop()``.

    Each batch is inserted into the history database and then deleted from the pending entries, in one transaction on
    the database of the state. After a crash between the two, the next delivery inserts the batch again, which has no
    effect. If a batch is rejected, its entries are inserted one by one. ``progress`` is called with the number of
    delivered entries after each batch.
    """
    result = Delivery()
    last: int | None = 0
    while last is not None and not stop():
        try:
            last = _deliver_batch(result, last)
        except FAILURES as error:
            result.error = error
            logger.error("Pending entries cannot be delivered: %s", error, extra={"event": "delivery_failed"})
            break
        progress(result.delivered)
    return result


def _deliver_batch(result: Delivery, after: int) -> int | None:
    """Deliver a batch of entries with an id above ``after``; return the last id read, None at the end."""
    using = router.db_for_write(PendingHistory)
    skip_locked = connections[using].features.has_select_for_update_skip_locked

    def move() -> tuple[list[PendingHistory], list[PendingHistory]]:
        above = pending_entries().filter(pk__gt=after).order_by("pk")
        batch = list(above.select_for_update(skip_locked=skip_locked)[:BATCH_SIZE])
        accepted = _insert(batch) if batch else []
        pending_entries().filter(pk__in=[entry.pk for entry in accepted]).delete()
        _store_refusals(set(batch).difference(accepted))
        return batch, accepted

    # Retried: to delete these rows, MySQL may lock rows of another delivery, and then one of the two fails.
    batch, accepted = in_transaction(move, using=using)
    if not batch:
        return None
    result.delivered += len(accepted)
    result.refused += len(batch) - len(accepted)
    if accepted:
        logger.info("Delivered %s entries.", len(accepted), extra={"event": "delivered", "count": len(accepted)})
    return batch[-1].pk


def _store_refusals(entries: Iterable[PendingHistory]) -> None:
    """Store the time of the first refusal of each entry, so that every process can count refused entries."""
    unmarked = [entry.pk for entry in entries if entry.refused is None]
    if unmarked:
        pending_entries().filter(pk__in=unmarked).update(refused=timezone.now())


def _insert(batch: Sequence[PendingHistory]) -> list[PendingHistory]:
    """Insert a batch into the history database; return the accepted entries. Raises one of FAILURES."""
    # Outermost: opening the connection may wait for a lock too.
    with (
        unavailable_while_locked(router.db_for_write(StudentModuleHistory)),
        history_connection(timeout_factor=DELIVERY_TIMEOUT_FACTOR),
    ):
        return _insert_each(batch)


def _insert_each(batch: Sequence[PendingHistory]) -> list[PendingHistory]:
    try:
        write_entries([entry.as_version() for entry in batch])
    except REJECTED as error:
        if len(batch) > 1:
            return [entry for entry in batch if _insert_each([entry])]
        logger.error("The history database rejected %s: %s", batch[0], error, extra={"event": "refused"})
        return []
    return list(batch)
