"""Short transactions that are tried again when another writer was in the way."""

import logging
import random
import secrets
import time
from collections.abc import Callable
from itertools import count
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from django.db import IntegrityError, OperationalError, connections, transaction

from kvstore.conf import conf
from kvstore.exceptions import KVStoreError, WriteConflict

logger = logging.getLogger(__name__)

ResultT = TypeVar("ResultT")

# PostgreSQL: serialization_failure, deadlock_detected. MySQL: ER_LOCK_DEADLOCK.
DEADLOCK_SQLSTATES = {"40001", "40P01"}
DEADLOCK_MYSQL_CODE = 1213

# PostgreSQL: lock_not_available. MySQL: ER_LOCK_WAIT_TIMEOUT.
LOCK_TIMEOUT_SQLSTATE = "55P03"
LOCK_TIMEOUT_MYSQL_CODE = 1205
LOCK_TIMEOUT_SQLITE = "database is locked"

# A row is inserted by another process once; whoever lost that race finds it the next time.
RACED_INSERT_ATTEMPTS = 3
FIRST_PAUSE = 0.005
"""seconds"""
RETRY_SECONDS = 5.0
"""from the beginning of the first attempt; then no other begins, as a user waits for it"""

CONFLICT = (
    "Other transactions kept this write from being made: %(attempts)d attempt(s) in %(seconds).1f s, and nothing of it "
    "is stored. Try the request again. If the error stays, end the transaction that holds the lock; "
    "docs/howto/outages.md, 'Locks', says how to set how long a write waits. The error of the database: %(error)s"
)

# By the outermost atomic block of a transaction, which Django drops when the transaction ends.
_transaction_ids: WeakKeyDictionary[Any, int] = WeakKeyDictionary()


def transaction_id(using: str) -> int:
    """Return a random number of 63 bits that all writes of the transaction on ``using`` share.

    Two different numbers prove two transactions. The converse does not hold: transactions that one decorator
    ``@transaction.atomic`` opened share a number. Returns 0 outside of a transaction, and inside one that Django did
    not begin. The block that a TestCase opens around a test does not count, as in Django's own check of ``durable``.
    """
    connection = connections[using]
    blocks: list[Any] = [block for block in connection.atomic_blocks if not getattr(block, "_from_testcase", False)]
    if not blocks or not connection.commit_on_exit:
        return 0
    return _transaction_ids.setdefault(blocks[0], secrets.randbits(63) or 1)


def in_transaction(
    body: Callable[[], ResultT], *, using: str, savepoint: bool = True, retry_insert: bool = False
) -> ResultT:
    """Run ``body`` in a transaction on ``using`` and return what it returns.

    With ``retry_insert`` a row that another process inserted first makes ``body`` run again. A deadlock does too
    where no transaction of the caller is open; inside one it has undone the caller's work as well, so it is raised.
    Without ``savepoint`` an error of the database ends the caller's transaction, a KVStoreError does not.

    Raises WriteConflict when every attempt met a deadlock or a lock, or when RETRY_SECONDS are used up, and any other
    error of the database as it is.
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
            # What was nested in this transaction could not try again, and has raised a WriteConflict.
            if not isinstance(error, WriteConflict) and not is_conflict(error):
                raise
            seconds = time.monotonic() - begin
            if nested or attempt >= conf.KVSTORE_WRITE_ATTEMPTS or seconds >= RETRY_SECONDS:
                raise WriteConflict(CONFLICT % {"attempts": attempt, "seconds": seconds, "error": error}) from error
            _pause(attempt, error)
    raise AssertionError("unreachable")


def is_conflict(error: OperationalError) -> bool:
    """Return whether another transaction was in the way: a deadlock, or a lock that was held for too long."""
    return _sqlstate(error) in DEADLOCK_SQLSTATES or _code(error) == DEADLOCK_MYSQL_CODE or is_lock_timeout(error)


def is_lock_timeout(error: BaseException) -> bool:
    """Return whether the database waited for a lock as long as it may."""
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
            # Nothing was written, so the caller's transaction may go on: leave the block in peace, then raise.
            refusal = error
    raise refusal


def _pause(attempt: int, error: OperationalError) -> None:
    longest = FIRST_PAUSE * 2**attempt
    logger.info("A write gave way to another one and is tried again (attempt %s): %s", attempt + 1, error)
    time.sleep(random.uniform(longest / 2, longest))  # noqa: S311  spreads the writers, guards nothing
