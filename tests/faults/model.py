"""A model of the store in plain Python: the state of one learner's block, its version, and all committed versions."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple


class Version(NamedTuple):
    """One entry as its readers see it."""

    version: int
    action: str
    state: str | None
    grade: float | None
    max_grade: float | None
    request_id: str


@dataclass
class Place:
    """The state of one learner in one block. Every change returns a new Place; an old one can be restored."""

    exists: bool = False
    fields: Mapping[str, Any] | None = None
    grade: float | None = None
    max_grade: float | None = None
    version: int = 0
    versions: tuple[Version, ...] = field(default=())
    """newest last; a row that was made anew begins at 1 again"""

    @property
    def state(self) -> str | None:
        """The fields as they are stored."""
        return None if self.fields is None else json.dumps(self.fields, separators=(",", ":"))

    def overlaid(self, fields: Mapping[str, Any], request_id: str) -> "Place":
        """Return the place after fields were set."""
        return self._next(replace(self, fields={**(self.fields or {}), **fields}), request_id)

    def without(self, names: Iterable[str] | None, request_id: str) -> "Place":
        """Return the place after fields were deleted; all of them, with None."""
        if self.fields is None:
            return self
        gone = self.fields.keys() if names is None else set(names)
        kept = {name: value for name, value in self.fields.items() if name not in gone}
        return self._next(replace(self, fields=kept), request_id)

    def replaced(self, fields: Mapping[str, Any], request_id: str) -> "Place":
        """Return the place after its whole state was saved."""
        return self._next(replace(self, fields=dict(fields)), request_id)

    def scored(self, grade: float | None, max_grade: float | None, request_id: str) -> "Place":
        """Return the place after a score was set."""
        return self._next(replace(self, grade=grade, max_grade=max_grade), request_id)

    @property
    def life(self) -> tuple[Version, ...]:
        """The versions of the present row, newest last."""
        ends = [place for place, version in enumerate(self.versions) if version.action == "deleted"]
        return self.versions[ends[-1] + 1 if ends else 0 :]

    def removed(self, request_id: str) -> "Place":
        """Return the place after its row was deleted."""
        ended = Version(self.version + 1, "deleted", None, None, None, request_id)
        return Place(versions=(*self.versions, ended))

    def _next(self, after: "Place", request_id: str) -> "Place":
        if self.exists and (after.state, after.grade, after.max_grade) == (self.state, self.grade, self.max_grade):
            return self
        after.exists, after.version = True, self.version + 1
        action = "changed" if self.exists else "created"
        recorded = Version(after.version, action, after.state, after.grade, after.max_grade, request_id)
        after.versions = (*self.versions, recorded)
        return after
