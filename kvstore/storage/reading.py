"""Reading stored state without building model instances or parsing keys."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.contrib.auth import get_user_model
from django.db import models, router
from django.db.models import OuterRef, Subquery
from django.db.models.lookups import In

from kvstore.conf import conf
from kvstore.exceptions import NAMED_IDS, CorruptState
from kvstore.keys import BlockAddress
from kvstore.models import StudentModule
from kvstore.versioning import codec
from kvstore.versioning.chunks import chunked

logger = logging.getLogger(__name__)

TABLE = StudentModule._meta.db_table


def stored_text(column: str) -> "models.ExpressionWrapper[models.F]":
    """Return the text of a key column as it is stored, where a filter or values_list would parse it."""
    return models.ExpressionWrapper(models.F(column), output_field=models.CharField())


def parsed(table: str, row_id: int, state: str | None) -> dict[str, Any]:
    """Return the fields in a row's state. Raises CorruptState with the row's id."""
    try:
        return codec.loads_state(state)
    except ValueError as error:
        raise CorruptState(table, [row_id], 1, str(error)) from error


class StoredState(NamedTuple):
    """The state of one block as a row holds it."""

    row_id: int
    course_id: str
    usage_key: str
    state: str | None
    modified: datetime

    def fields(self) -> dict[str, Any]:
        """Return the fields. Raises CorruptState with the row's id."""
        return parsed(TABLE, self.row_id, self.state)


STORED_COLUMNS = ("id", stored_text("course_id"), stored_text("module_state_key"), "state", "modified")


def stored_states(learner: Mapping[str, Any], addresses: Sequence[BlockAddress]) -> dict[tuple[str, str], StoredState]:
    """Return what a learner's rows hold, by course and usage key; one query for each chunk of blocks.

    ``learner`` is what the rows are filtered by: an id, or a name that the database looks up.
    """
    rows = StudentModule.objects.using(router.db_for_read(StudentModule))
    found = {}
    for chunk in chunked(addresses, conf.KVSTORE_CHUNK_SIZE):
        chosen = rows.filter(
            In(stored_text("module_state_key"), [address.usage_key for address in chunk]),
            In(stored_text("course_id"), {address.course_id for address in chunk}),
            **learner,
        )
        for values in chosen.values_list(*STORED_COLUMNS):
            stored = StoredState(*values)
            found[stored.course_id, stored.usage_key] = stored
    return found


def walk(**filters: Any) -> Iterator[tuple[str, StoredState]]:
    """Yield the learner's name and the state of every row that has one, in the order of ids.

    Each page is one query that starts after the last id of the page before, so memory and time for a row stay the
    same however many there are.
    """
    using = router.db_for_read(StudentModule)
    rows = StudentModule.objects.using(using).filter(state__isnull=False, **filters).order_by("id")
    # Not joined: where learners are few MySQL would begin with them, and sort all of a course for each page.
    learners = get_user_model()._base_manager.using(using).filter(pk=OuterRef("student_id"))
    username = Subquery(learners.values(get_user_model().USERNAME_FIELD))
    size, last_id = conf.KVSTORE_BATCH_SIZE, 0
    while True:
        page = list(rows.filter(id__gt=last_id).values_list(username, *STORED_COLUMNS)[:size])
        for name, *values in page:
            yield name, StoredState(*values)
        if len(page) < size:
            return
        last_id = page[-1][1]


class CorruptRows:
    """The unreadable rows that a read of many went past, so that one does not hide the others."""

    def __init__(self, table: str = TABLE) -> None:
        self._table = table
        self._ids: list[int] = []
        self._count = 0
        self._reason = ""

    def parsed(self, row_id: int, state: str | None) -> dict[str, Any] | None:
        """Return the fields in a row's state; or log, remember the row and return None."""
        try:
            return codec.loads_state(state)
        except ValueError as error:
            logger.error("%s", CorruptState(self._table, [row_id], 1, str(error)))
            self._count += 1
            self._reason = self._reason or str(error)
            if len(self._ids) < NAMED_IDS:
                self._ids.append(row_id)
            return None

    def raise_if_any(self) -> None:
        """Raise CorruptState naming the rows, once every readable one was returned."""
        if self._count:
            raise CorruptState(self._table, self._ids, self._count, self._reason)
