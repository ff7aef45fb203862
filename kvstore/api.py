"""The public API of kvstore. Other modules may change without notice."""

from kvstore.cache.field_data_cache import FieldDataCache
from kvstore.client import DjangoXBlockUserStateClient, XBlockUserState
from kvstore.exceptions import (
    AnotherLearner,
    CorruptState,
    HistoryNotInstalled,
    KVStoreError,
    ReadOnlyState,
    SaveFailed,
    StateMoved,
    UnknownLearner,
    UnrecordedWrite,
    UnstorableScore,
    UnstorableValue,
    UnsupportedScope,
    UnusableContext,
    UnusableKey,
    WriteConflict,
)
from kvstore.scores import Score, ScoresClient, get_score, set_score
from kvstore.store import DjangoKeyValueStore

__all__ = [
    "AnotherLearner",
    "CorruptState",
    "DjangoKeyValueStore",
    "DjangoXBlockUserStateClient",
    "FieldDataCache",
    "HistoryNotInstalled",
    "KVStoreError",
    "ReadOnlyState",
    "SaveFailed",
    "Score",
    "ScoresClient",
    "StateMoved",
    "UnknownLearner",
    "UnrecordedWrite",
    "UnstorableScore",
    "UnstorableValue",
    "UnsupportedScope",
    "UnusableContext",
    "UnusableKey",
    "WriteConflict",
    "XBlockUserState",
    "get_score",
    "set_score",
]
