"""Reads and writes learners' state by user name and usage key, for reports, importers and graders."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import chain
from typing import Any, NamedTuple

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import router
from opaque_keys.edx.keys import LearningContextKey, UsageKey
from xblock.fields import Scope

from kvstore.conf import HISTORY_LABEL
from kvstore.exceptions import HistoryNotInstalled, UnknownLearner, UnsupportedScope
from kvstore.keys import (
    BlockAddress,
    block_address,
    checked_name,
    contains_course_key,
    text_from_key,
    usage_key_in_course,
)
from kvstore.storage.changes import remove_fields, set_fields
from kvstore.storage.reading import CorruptRows, iter_states, stored_states
from kvstore.storage.scopes import USER_STATE, scope_key
from kvstore.storage.writing import write_states
from kvstore.versioning import codec


class XBlockUserState(NamedTuple):
    """The state of one block for one learner."""

    username: str
    block_key: UsageKey
    state: dict[str, Any] | None
    """field values by name; in a history, None if all fields had been deleted"""
    updated: datetime
    """UTC; ``state`` has not changed since"""
    scope: Any


class DjangoXBlockUserStateClient:
    """Reads and writes the ``user_state`` of learners' blocks.

    Methods for the name of ``user`` need no query for its id. Every call raises UnsupportedScope for another scope
    than user_state, and UnusableKey for an invalid key. A user name that does not exist has no state; a write to it
    raises UnknownLearner. An anonymous ``user`` reads and stores nothing.

    Iterators return the valid rows first and then raise CorruptState for corrupt rows.
    """

    class ServiceUnavailable(Exception):
        """The state is not available at the moment."""

    class PermissionDenied(Exception):
        """The caller may not access the state."""

    class DoesNotExist(Exception):
        """The state does not exist."""

    def __init__(self, user: Any = None) -> None:
        self._user = user

    def get(
        self,
        username: str,
        block_key: UsageKey,
        scope: Any = Scope.user_state,
        fields: Iterable[str] | None = None,
    ) -> XBlockUserState:
        """Return the state of one block, or these fields of it. Raises DoesNotExist without any of them."""
        for state in self.get_many(username, [block_key], scope, fields):
            return state
        raise self.DoesNotExist(f"{username} has no state, or none of the fields, of {block_key}.")

    def get_many(
        self,
        username: str,
        block_keys: Iterable[UsageKey],
        scope: Any = Scope.user_state,
        fields: Iterable[str] | None = None,
    ) -> Iterator[XBlockUserState]:
        """Return the existing states in the order of ``block_keys``, with one query for each chunk."""
        _check_scope(scope)
        addresses = {key: block_address(key) for key in block_keys}
        names = None if fields is None else list(fields)
        return self._get_many(username, addresses, names)

    def set(self, username: str, block_key: UsageKey, state: Mapping[str, Any], scope: Any = Scope.user_state) -> None:
        """Set fields of one block. See :meth:`set_many`."""
        self.set_many(username, {block_key: state}, scope)

    def set_many(
        self,
        username: str,
        block_keys_to_state: Mapping[UsageKey, Mapping[str, Any]],
        scope: Any = Scope.user_state,
    ) -> None:
        """Set fields of many blocks, all or none, and keep the blocks' other fields.

        Raises UnstorableValue, which names the block and field; then nothing is stored.
        """
        _check_scope(scope)
        states: dict[BlockAddress, dict[str, Any]] = defaultdict(dict)
        for key, state in block_keys_to_state.items():
            # Keys that differ in branch or version have one address.
            fields = states[block_address(key)]
            for name, value in state.items():
                fields[checked_name(name, "field name")] = codec.storable(value, codec.FieldName(name, key))
        learner_id = self._learner_id(username)
        if learner_id is not None:
            changes = {address: set_fields(fields) for address, fields in states.items()}
            write_states(learner_id, changes, create=True)

    def delete(
        self,
        username: str,
        block_key: UsageKey,
        scope: Any = Scope.user_state,
        fields: Iterable[str] | None = None,
    ) -> None:
        """Delete the state of one block, or these fields of it. See :meth:`delete_many`."""
        self.delete_many(username, [block_key], scope, fields)

    def delete_many(
        self,
        username: str,
        block_keys: Iterable[UsageKey],
        scope: Any = Scope.user_state,
        fields: Iterable[str] | None = None,
    ) -> None:
        """Delete the states of many blocks, or these fields of each, if they exist. Keeps the rows and the scores."""
        _check_scope(scope)
        addresses = [block_address(key) for key in block_keys]
        names = None if fields is None else frozenset(fields)
        learner_id = self._learner_id(username)
        if learner_id is not None:
            write_states(learner_id, dict.fromkeys(addresses, remove_fields(names)), create=False)

    def get_history(
        self, username: str, block_key: UsageKey, scope: Any = Scope.user_state
    ) -> Iterator[XBlockUserState]:
        """Return all versions of a block's state, newest first. Raises DoesNotExist, HistoryNotInstalled."""
        _check_scope(scope)
        address = block_address(block_key)
        if HISTORY_LABEL not in apps.app_configs:
            raise HistoryNotInstalled("Add 'history' to INSTALLED_APPS to record and read the history of state.")
        # kvstore must not import history.
        history: Any = apps.get_app_config(HISTORY_LABEL)
        versions = history.parsed_versions(self._learner(username), address)
        states = (XBlockUserState(username, block_key, fields or None, at, scope) for fields, at in versions)
        newest = next(states, None)
        if newest is None:
            raise self.DoesNotExist(f"No history of {block_key} is recorded for {username}.")
        return chain([newest], states)

    def iter_all_for_block(self, block_key: UsageKey, scope: Any = Scope.user_state) -> Iterator[XBlockUserState]:
        """Return the states of one block for all learners, in constant memory."""
        _check_scope(scope)
        address = block_address(block_key)
        filters = {"module_state_key": address.usage_key}
        # A redundant filter by course would mislead the planner's estimate of the number of rows.
        return _all_states(filters if contains_course_key(block_key) else filters | {"course_id": address.course_id})

    def iter_all_for_course(
        self, course_key: LearningContextKey, block_type: str | None = None, scope: Any = Scope.user_state
    ) -> Iterator[XBlockUserState]:
        """Return the states of all blocks of a course, or of one type, for all learners, in constant memory."""
        _check_scope(scope)
        filters = {"course_id": text_from_key(course_key, LearningContextKey)}
        return _all_states(filters | ({} if block_type is None else {"module_type": block_type}))

    def _get_many(
        self, username: str, addresses: Mapping[UsageKey, BlockAddress], names: list[str] | None
    ) -> Iterator[XBlockUserState]:
        stored = stored_states(self._known_id(username) or username, list(addresses.values()))
        corrupt = CorruptRows()
        for key, address in addresses.items():
            row = stored.get(address[:2])
            fields = corrupt.parsed(row.id, row.state) if row else None
            if row and fields:
                chosen = fields if names is None else {name: fields[name] for name in names if name in fields}
                if chosen or not names:
                    yield XBlockUserState(username, key, chosen, row.modified, Scope.user_state)
        corrupt.raise_if_any()

    def _learner(self, username: str) -> dict[str, Any]:
        """Return the filter arguments that select the learner's rows."""
        learner_id = self._known_id(username)
        return (
            {f"student__{get_user_model().USERNAME_FIELD}": username}
            if learner_id is None
            else {"student_id": learner_id}
        )

    def _known_id(self, username: str) -> int | None:
        """Return the id of the client's user if it has this name."""
        return self._user.pk if self._user is not None and self._user.get_username() == username else None

    def _learner_id(self, username: str) -> int | None:
        """Return the id of the learner, or None for the anonymous user. Raises UnknownLearner."""
        if self._user is not None and self._user.get_username() == username:
            return known_learner_id(self._user)
        model = get_user_model()
        users = model._base_manager.using(router.db_for_write(model)).filter(**{model.USERNAME_FIELD: username})
        for learner_id in users.values_list("pk", flat=True):
            return int(learner_id)
        raise UnknownLearner(f"The user {username!r} does not exist; nothing was stored.")


def known_learner_id(user: Any) -> int | None:
    """Return the user's id, or None for the anonymous user. Raises UnknownLearner for an unsaved user."""
    if user.is_anonymous:
        return None
    if user.pk is None:
        raise UnknownLearner(f"{user!r} was never saved, so nothing can be stored for it; save it first.")
    return int(user.pk)


def _check_scope(scope: Any) -> None:
    if scope_key(scope) != USER_STATE:
        raise UnsupportedScope(scope, [Scope.user_state.name])


def _all_states(filters: Mapping[str, Any]) -> Iterator[XBlockUserState]:
    corrupt = CorruptRows()
    for username, row in iter_states(**filters):
        fields = corrupt.parsed(row.id, row.state)
        if fields:
            key = usage_key_in_course(row.module_state_key, row.course_id)
            yield XBlockUserState(username, key, fields, row.modified, Scope.user_state)
    corrupt.raise_if_any()
