"""Authored courses: immutable data, with the address of each block."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from opaque_keys.edx.keys import CourseKey, UsageKey


@dataclass(frozen=True)
class AuthoredBlock:
    """One block as authored: its type, its id within the course, its fields and its children."""

    block_type: str
    block_id: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    children: tuple["AuthoredBlock", ...] = ()


class Course:
    """A tree of authored blocks under one course key. Usage keys are derived and not stored."""

    def __init__(self, key: str, root: AuthoredBlock, aside_types: tuple[str, ...] = ()) -> None:
        self.key: CourseKey = CourseKey.from_string(key)
        self.root_key = self._usage_key(root)
        self.aside_types = aside_types
        self._fields = dict(self._fields_below(root, None))

    def __contains__(self, usage_key: UsageKey) -> bool:
        return usage_key in self._fields

    def fields_of(self, usage_key: UsageKey) -> Mapping[str, Any]:
        """Return the authored fields of a block, with its ``parent`` and ``children``; {} for unknown blocks."""
        return self._fields.get(usage_key, {})

    def _usage_key(self, block: AuthoredBlock) -> UsageKey:
        return self.key.make_usage_key(block.block_type, block.block_id)

    def _fields_below(self, block: AuthoredBlock, parent: UsageKey | None) -> Iterator[tuple[UsageKey, dict[str, Any]]]:
        usage_key = self._usage_key(block)
        children = [self._usage_key(child) for child in block.children]
        yield usage_key, {**block.fields, "parent": parent, "children": children}
        for child in block.children:
            yield from self._fields_below(child, usage_key)
