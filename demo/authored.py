"""Authored fields as XBlock field data: every learner can read them, and they cannot be written."""

from copy import deepcopy
from typing import Any

from xblock.core import XBlock
from xblock.exceptions import InvalidScopeError
from xblock.field_data import FieldData

from demo.course import Course


class AuthoredFieldData(FieldData):
    """Content, settings, parent and children of one course. Returned values may be mutated."""

    def __init__(self, course: Course) -> None:
        self._course = course

    def has(self, block: XBlock, name: str) -> bool:
        """Return whether the author set this field."""
        return name in self._course.fields_of(block.scope_ids.usage_id)

    def get(self, block: XBlock, name: str) -> Any:
        """Return a copy of the authored value, or raise KeyError."""
        return deepcopy(self._course.fields_of(block.scope_ids.usage_id)[name])

    def set(self, block: XBlock, name: str, value: Any) -> None:
        """Refuse: learners cannot change a course."""
        raise InvalidScopeError(f"{name} of {block.scope_ids.usage_id} is authored and read-only")

    def delete(self, block: XBlock, name: str) -> None:
        """Refuse, as ``set`` does."""
        self.set(block, name, None)
