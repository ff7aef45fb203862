"""The KeyValueStore that XBlock's runtime uses."""

from collections.abc import Mapping
from typing import Any

from xblock.runtime import KeyValueStore

from kvstore.cache.field_data_cache import FieldDataCache


class DjangoKeyValueStore(KeyValueStore):
    """Stores the fields of the scopes user_state, user_state_summary, preferences and user_info.

    Reads use the FieldDataCache, which loads a missing block on the first read. Every method raises
    UnsupportedScope for another scope, AnotherLearner for another learner's key, and UnusableKey for an invalid key.
    """

    def __init__(self, field_data_cache: FieldDataCache) -> None:
        self._field_data_cache = field_data_cache

    def get(self, key: KeyValueStore.Key) -> Any:
        """Return the field's value; changes to it do not change the stored value. Raises KeyError."""
        return self._field_data_cache.get(key)

    def has(self, key: KeyValueStore.Key) -> bool:
        """Return whether the field has a stored value."""
        return self._field_data_cache.has(key)

    def set(self, key: KeyValueStore.Key, value: Any) -> None:
        """Store one value. See :meth:`set_many`."""
        self.set_many({key: value})

    def set_many(self, update_dict: Mapping[KeyValueStore.Key, Any]) -> None:
        """Store all values or none.

        Raises UnstorableValue before anything is written, and KeyValueMultiSaveError if the database refuses;
        its ``saved_field_names`` lists exactly the stored fields.
        """
        self._field_data_cache.set_many(update_dict)

    def delete(self, key: KeyValueStore.Key) -> None:
        """Delete the field's stored value. Raises KeyError."""
        self._field_data_cache.delete(key)
