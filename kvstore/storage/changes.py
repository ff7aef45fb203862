"""Functions that compute the next values of a row, for :func:`kvstore.storage.writing.write_states`."""

from collections.abc import Callable, Mapping
from typing import Any

from kvstore.exceptions import StateMoved
from kvstore.storage.reading import parsed
from kvstore.versioning import codec
from kvstore.versioning.versions import Row, Values

RowChange = Callable[[Row], Values]
"""Returns the locked row's next values; unchanged values make no version. Must not write."""

EMPTIED = codec.dumps({})


def set_fields(fields: Mapping[str, Any]) -> RowChange:
    """Return a change that sets these fields, which must be storable, and keeps the other fields."""

    def change(row: Row) -> Values:
        stored = parsed(row.id, row.state)
        state = codec.dumps({**stored, **fields})
        # Equal fields may have another text. The texts are compared because 1 equals True in Python.
        if state == row.state or (_may_equal(stored, row, fields) and codec.dumps(stored) == state):
            return row.values
        return Values(state, row.grade, row.max_grade)

    return change


def remove_fields(names: frozenset[str] | None) -> RowChange:
    """Return a change that removes these fields, or all fields if None. It does not change NULL."""

    def remove(row: Row) -> Values:
        if names is None:
            # Does not parse the state, so that a corrupt state can be emptied.
            emptied = row.state is None or codec.same_state(row.state, EMPTIED)
            return row.values if emptied else row.values._replace(state=EMPTIED)
        stored = parsed(row.id, row.state)
        kept = {name: value for name, value in stored.items() if name not in names}
        return row.values if len(kept) == len(stored) else row.values._replace(state=codec.dumps(kept))

    return remove


def set_grade(grade: float | None, max_grade: float | None) -> RowChange:
    """Return a change that sets the score and keeps the state."""
    return lambda row: row.values._replace(grade=grade, max_grade=max_grade)


def if_version(expected_version: int, change: RowChange) -> RowChange:
    """Return ``change``, which raises StateMoved unless the row has this version (0: no row)."""

    def change_if_version(row: Row) -> Values:
        if row.version != expected_version:
            raise StateMoved(expected_version, row.version)
        return change(row)

    return change_if_version


def _may_equal(stored: Mapping[str, Any], row: Row, fields: Mapping[str, Any]) -> bool:
    return row.state is not None and all(name in stored and stored[name] == value for name, value in fields.items())
