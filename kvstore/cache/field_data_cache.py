"""What a request needs of a learner's state, loaded in one query for each scope and written back by scope."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeAlias

from django.db import DatabaseError, router
from opaque_keys.edx.keys import LearningContextKey
from xblock.runtime import KeyValueStore

from kvstore.cache.base import Fields, NoFields, ScopeCache
from kvstore.cache.blocks import Block, FieldOwner, descendants, dynamic_children, kinds
from kvstore.cache.field_row_caches import PreferencesCache, UserInfoCache, UserStateSummaryCache
from kvstore.cache.user_state import UserStateCache
from kvstore.client import known_learner_id
from kvstore.exceptions import AnotherLearner, ReadOnlyState, SaveFailed, UnsupportedScope
from kvstore.keys import checked_name
from kvstore.models import StudentModule
from kvstore.storage import scopes
from kvstore.storage.scopes import ScopeKey
from kvstore.versioning import codec
from kvstore.versioning.transactions import in_transaction

Key: TypeAlias = KeyValueStore.Key

NO_FIELDS = NoFields()


class FieldDataCache:
    """One learner's stored fields of a set of blocks, and of the asides of these types beside them.

    Making it takes one query for each scope that the blocks have fields in, in chunks of blocks. What was not asked
    for is loaded when it is first read, so that a field is reported missing only when it is.

    For an anonymous ``user`` every field is missing and nothing is stored. With ``read_only`` every write raises
    ReadOnlyState. Raises UnknownLearner for a ``user`` that was never saved.
    """

    def __init__(
        self,
        blocks: Iterable[Block],
        course_id: LearningContextKey,
        user: Any,
        asides: Iterable[str] | None = None,
        *,
        read_only: bool = False,
    ) -> None:
        self.user = user
        self.course_id = course_id
        self.read_only = read_only
        self._learner_id = known_learner_id(user)
        self._aside_types = list(asides or ())
        # In the order in which they are written. The fields that many learners share come last: whoever else waits
        # for their locks waits for the shortest time.
        self._caches: dict[ScopeKey, ScopeCache[Any, Any]] = {
            scopes.USER_STATE: UserStateCache(user, course_id),
            scopes.PREFERENCES: PreferencesCache(user),
            scopes.USER_INFO: UserInfoCache(user),
            scopes.USER_STATE_SUMMARY: UserStateSummaryCache(user, course_id),
        }
        self.add_blocks_to_cache(blocks)

    @classmethod
    def cache_for_block_descendants(
        cls,
        course_id: LearningContextKey,
        user: Any,
        block: Block,
        depth: int | None = None,
        block_filter: Callable[[Block], bool] = lambda block: True,
        asides: Iterable[str] | None = None,
        *,
        read_only: bool = False,
    ) -> FieldDataCache:
        """Return a cache for ``block`` and its descendants. See :meth:`add_block_descendants`."""
        cache = cls([], course_id, user, asides, read_only=read_only)
        cache.add_block_descendants(block, depth, block_filter)
        return cache

    def add_block_descendants(
        self,
        block: Block,
        depth: int | None = None,
        block_filter: Callable[[Block], bool] = lambda block: True,
    ) -> None:
        """Load ``block`` and its descendants, down to ``depth`` levels (None: all), where the filter passes them.

        A block that shows each learner only some of its children is asked which once its own state is loaded.
        """
        blocks, dynamic = descendants([(block, depth)], block_filter)
        self.add_blocks_to_cache(blocks)
        while dynamic:
            blocks, dynamic = descendants(dynamic_children(dynamic), block_filter)
            self.add_blocks_to_cache(blocks)

    # The spelling that callers of the ancestor know.
    cache_for_block_descendents = cache_for_block_descendants
    add_block_descendents = add_block_descendants

    def add_blocks_to_cache(self, blocks: Iterable[Block]) -> None:
        """Load the fields of more blocks; what is loaded already is kept."""
        if self._learner_id is None:
            return
        by_kind = kinds(blocks, self._aside_types)
        for where, cache in self._caches.items():
            declared: list[FieldOwner] = []
            undeclared: list[FieldOwner] = []
            for kind, usage_ids in by_kind.items():
                (declared if where in kind.places else undeclared).extend(kind.owners(where, usage_ids))
            cache.prefetch(declared)
            # Fields that belong to no block are no block's to miss.
            if where != scopes.USER_INFO:
                cache.assume_empty(undeclared)

    def get(self, key: Key) -> Any:
        """Return a copy of the field's value. Raises KeyError where it has none, CorruptState where unreadable."""
        return self._fields(key).get(key.field_name)

    def has(self, key: Key) -> bool:
        """Return whether the field has a stored value. Raises CorruptState where that cannot be told."""
        return key.field_name in self._fields(key)

    def last_modified(self, key: Key) -> datetime | None:
        """Return when the field's row was last written (UTC), or None where the field is missing."""
        modified: datetime | None = self._fields(key).modified(key.field_name)
        return modified

    def set(self, key: Key, value: Any) -> None:
        """Store one value. See :meth:`set_many`."""
        self.set_many({key: value})

    def set_many(self, values: Mapping[Key, Any]) -> None:
        """Store all values or none, in one transaction, and remember them then.

        Raises UnstorableValue, UnusableKey, CorruptState or ReadOnlyState before anything is written; SaveFailed,
        whose ``saved_field_names`` is empty, where the database refuses.
        """
        by_cache: dict[ScopeCache[Any, Any], dict[Key, Any]] = defaultdict(dict)
        for key, value in values.items():
            cache = self._checked_for_writing(key)
            by_cache[cache][key] = codec.storable(value, f"field {key.field_name!r} of {key.block_scope_id}")
        if values and self._learner_id is not None:
            self._write([(cache, by_cache[cache]) for cache in self._caches.values() if cache in by_cache])

    def delete(self, key: Key) -> None:
        """Delete the field's stored value. Raises KeyError where it has none."""
        cache = self._checked_for_writing(key)
        if not self.has(key):
            raise KeyError(key.field_name)
        cache.delete(key)

    def _write(self, writes: list[tuple[ScopeCache[Any, Any], dict[Key, Any]]]) -> None:
        def write() -> list[Callable[[], None]]:
            return [cache.write(values) for cache, values in writes]

        try:
            # The write of one scope is one transaction by itself.
            using = router.db_for_write(StudentModule)
            remember = in_transaction(write, using=using) if len(writes) > 1 else write()
        except DatabaseError as error:
            raise SaveFailed([], str(error)) from error
        for remember_scope in remember:
            remember_scope()

    def _fields(self, key: Key) -> Fields:
        cache = self._cache(key)
        return NO_FIELDS if self._learner_id is None else cache.fields(key)

    def _cache(self, key: Key) -> ScopeCache[Any, Any]:
        cache = self._caches.get(scopes.scope_key(key.scope))
        if cache is None:
            raise UnsupportedScope(key.scope, list(scopes.SUPPORTED.values()))
        if not cache.shared and key.user_id != self._learner_id:
            raise AnotherLearner(
                f"Field {key.field_name!r} belongs to user {key.user_id!r}, but the state of user {self._learner_id!r} "
                "was loaded; make a FieldDataCache for that user."
            )
        return cache

    def _checked_for_writing(self, key: Key) -> ScopeCache[Any, Any]:
        cache = self._cache(key)
        if self.read_only:
            raise ReadOnlyState(
                f"Field {key.field_name!r} of {key.block_scope_id} cannot be written: it was loaded read-only."
            )
        checked_name(key.field_name, "field name")
        cache.address(key)
        return cache
