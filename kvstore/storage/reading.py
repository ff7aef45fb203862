"""Reads stored state without model instances and without parsing keys."""

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.contrib.auth import get_user_model
from django.db import models, router
from django.db.models import OuterRef, Subquery

from kvstore.conf import conf
from kvstore.exceptions import NAMED_IDS, CorruptState
from kvstore.keys import BlockAddress
from kvstore.models import StudentModule
from kvstore.versioning import codec, sql
from kvstore.versioning.sql import chunked

logger = logging.getLogger("kvstore")

TABLE = StudentModule._meta.db_table

BATCH_SIZE = 1000
"""number of rows for each query of :func:`iter_states`"""


def stored_text(column: str) -> "models.ExpressionWrapper[models.F]":
    """Return the stored text of a key column, which ``filter()`` and ``values_list()`` would parse."""
    return models.ExpressionWrapper(models.F(column), output_field=models.CharField())


def parsed(row_id: int, state: str | None, table: str = TABLE) -> dict[str, Any]:
    """Return the fields of a row's state. Raises CorruptState with the row's id."""
    try:
        return codec.loads_state(state)
    except ValueError as error:
        raise CorruptState(table, [row_id], 1, str(error)) from error


class StoredState(NamedTuple):
    """The stored columns of one block's state."""

    id: int
    course_id: str
    module_state_key: str
    state: str | None
    modified: datetime

    def fields(self) -> dict[str, Any]:
        """Return the fields. Raises CorruptState with the row's id."""
        return parsed(self.id, self.state)


STORED_COLUMNS = ("id", stored_text("course_id"), stored_text("module_state_key"), "state", "modified")


def stored_states(learner: int | str, addresses: Sequence[BlockAddress]) -> dict[tuple[str, str], StoredState]:
    """Return a learner's stored states by course and usage key, with one query for each chunk of blocks.

    ``learner`` is the id of a user, or the name, which the same query looks up.
    """
    # Not from a replica, which may lag: the caller computes the next state from this one.
    using = router.db_for_write(StudentModule)
    found = {}
    for chunk in chunked(addresses, conf.KVSTORE_CHUNK_SIZE):
        conditions = [
            _has_learner(learner, using),
            sql.one_of("module_state_key", [address.usage_key for address in chunk], using),
            sql.one_of("course_id", {address.course_id for address in chunk}, using),
        ]
        for values in sql.select(StudentModule, StoredState._fields, conditions, using):
            found[values[1], values[2]] = StoredState(*values)
    return found


def _has_learner(learner: int | str, using: str) -> sql.Condition:
    if isinstance(learner, int):
        return sql.one_of("student_id", [learner], using)
    model = get_user_model()
    users = model._base_manager.using(using).filter(**{model.USERNAME_FIELD: learner}).values("pk")
    statement, parameters = users.query.get_compiler(using).as_sql()
    return f"student_id IN ({statement})", parameters


def iter_states(**filters: Any) -> Iterator[tuple[str, StoredState]]:
    """Yield the user name and the state of every row with a state, in the order of ids.

    Each query starts after the last id of the previous one, so memory and time for a row are constant.
    """
    rows = StudentModule.objects.filter(state__isnull=False, **filters).order_by("id")
    # With a join, MySQL would start from the users if they are few, and sort all rows of a course for each query.
    learners = get_user_model()._base_manager.filter(pk=OuterRef("student_id"))
    username = Subquery(learners.values(get_user_model().USERNAME_FIELD))
    size, last_id = BATCH_SIZE, 0
    while True:
        page = list(rows.filter(id__gt=last_id).values_list(username, *STORED_COLUMNS)[:size])
        for name, *values in page:
            yield name, StoredState(*values)
        if len(page) < size:
            return
        last_id = page[-1][1]


class CorruptRows:
    """Collects the corrupt rows of a read, so that the valid rows are returned first."""

    def __init__(self, table: str = TABLE) -> None:
        self._table = table
        self._ids: list[int] = []
        self._count = 0
        self._reason = ""

    def parsed(self, row_id: int, state: str | None) -> dict[str, Any] | None:
        """Return the fields of a row's state, or log and collect the row and return None."""
        try:
            return codec.loads_state(state)
        except ValueError as error:
            logger.error("%s", CorruptState(self._table, [row_id], 1, str(error)))
            self._count += 1
            self._reason = self._reason or str(error)
            # Bounds the memory of a read of many rows.
            if len(self._ids) < NAMED_IDS:
                self._ids.append(row_id)
            return None

    def raise_if_any(self) -> None:
        """Raise CorruptState with the ids of the corrupt rows. Call it after all valid rows were returned."""
        if self._count:
            raise CorruptState(self._table, self._ids, self._count, self._reason)
