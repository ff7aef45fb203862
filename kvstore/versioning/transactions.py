"""Short transactions that are retried after a conflict with another transaction."""

import logging
import random
import secrets
import time
from collections.abc import Callable
from itertools import count
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from django.db import IntegrityError, OperationalError, connections, transaction

from kvstore.exceptions import KVStoreError, WriteConflict

logger = logging.getLogger("kvstore")

ResultT = TypeVar("ResultT")

# PostgreSQL: serialization_failure, deadlock_detected. MySQL: ER_LOCK_DEADLOCK. MariaDB: ER_CHECKREAD, for a row that
# was changed after the snapshot (innodb_snapshot_isolation).
DEADLOCK_SQLSTATES = {"40001", "40P01"}
DEADLOCK_MYSQL_CODES = {1213, 1020}

# PostgreSQL: lock_not_available. MySQL: ER_LOCK_WAIT_TIMEOUT.
LOCK_TIMEOUT_SQLSTATE = "55P03"
LOCK_TIMEOUT_MYSQL_CODE = 1205
LOCK_TIMEOUT_SQLITE = "database is locked"

# After a concurrent insert of the same row, the second attempt finds the row.
RACED_INSERT_ATTEMPTS = 3
WRITE_ATTEMPTS = 8
"""maximum number of attempts of a write that meets deadlocks or locks"""
FIRST_PAUSE = 0.005
"""seconds"""
RETRY_SECONDS = 5.0
"""seconds after the start of the first attempt in which another attempt may start"""

CONFLICT = (
    "Locks or deadlocks prevented this write: %(attempts)d attempt(s) in %(seconds).1f s. Nothing was stored. "
    "Try the request again. If the error stays, end the transaction that holds the lock; docs/howto/outages.md, "
    "'Locks', describes the lock timeouts. The error of the database: %(error)s"
)

# By the outermost atomic block, which Django deletes at the end of the transaction.
_transaction_ids: WeakKeyDictionary[Any, int] = WeakKeyDictionary()


def transaction_id(using: str) -> int:
    """Return a random number of 63 bits that all writes of the transaction on ``using`` share.

    Different numbers prove different transactions, but two transactions of one ``@transaction.atomic`` decorator share
    a number. Returns 0 outside of a transaction, and in a transaction that Django did not begin. As in Django's check
    of ``durable``, the atomic block of a TestCase does not count.
    """
    connection = connections[using]
    blocks: list[Any] = [block for block in connection.atomic_blocks if not getattr(block, "_from_testcase", False)]
    if not blocks or not connection.commit_on_exit:
        return 0
    return _transaction_ids.setdefault(blocks[0], secrets.randbits(63) or 1)


def in_transaction(
    body: Callable[[], ResultT], *, using: str, savepoint: bool = True, retry_insert: bool = False
) -> ResultT:
    """Run ``body`` in a transaction on ``using`` and return its result.

    Runs ``body`` again after a deadlock or lock timeout, unless the caller has a transaction, which a deadlock rolls
    back too. ``retry_insert`` runs it again after an IntegrityError. Without ``savepoint``, a database error breaks the
    caller's transaction; a KVStoreError does not.

    Raises WriteConflict after WRITE_ATTEMPTS or RETRY_SECONDS, and other database errors unchanged.
    """
    nested = connections[using].in_atomic_block
    begin = time.monotonic()
    for attempt in count(1):
        try:
            return _run(body, using=using, savepoint=savepoint or not nested)
        except IntegrityError:
            if not retry_insert or attempt >= RACED_INSERT_ATTEMPTS:
                raise
        except OperationalError as error:
            # A nested call cannot retry: it raises WriteConflict, and the outermost call retries.
            if not isinstance(error, WriteConflict) and not is_conflict(error):
                raise
            seconds = time.monotonic() - begin
            if nested or attempt >= WRITE_ATTEMPTS or seconds >= RETRY_SECONDS:
                raise WriteConflict(CONFLICT % {"attempts": attempt, "seconds": seconds, "error": error}) from error
            _pause(attempt, error)
    raise AssertionError("unreachable")


def is_conflict(error: OperationalError) -> bool:
    return _sqlstate(error) in DEADLOCK_SQLSTATES or _code(error) in DEADLOCK_MYSQL_CODES or is_lock_timeout(error)


def is_lock_timeout(error: BaseException) -> bool:
    return isinstance(error, OperationalError) and (
        _sqlstate(error) == LOCK_TIMEOUT_SQLSTATE
        or _code(error) == LOCK_TIMEOUT_MYSQL_CODE
        or LOCK_TIMEOUT_SQLITE in str(error)
    )


def _sqlstate(error: OperationalError) -> str | None:
    cause = error.__cause__
    return getattr(cause, "pgcode", None) or getattr(cause, "sqlstate", None)


def _code(error: OperationalError) -> object:
    return error.args[0] if error.args else None


def _run(body: Callable[[], ResultT], *, using: str, savepoint: bool) -> ResultT:
    if savepoint:
        with transaction.atomic(using=using):
            return body()
    refusal: KVStoreError
    with transaction.atomic(using=using, savepoint=False):
        try:
            return body()
        except KVStoreError as error:
            # Nothing was written. Raised inside the block, it would break the caller's transaction.
            refusal = error
    raise refusal


def _pause(attempt: int, error: OperationalError) -> None:
    longest = FIRST_PAUSE * 2**attempt
    logger.info("A write met a conflict and is tried again (attempt %s): %s", attempt + 1, error)
    time.sleep(random.uniform(longest / 2, longest))  # noqa: S311  not for security
