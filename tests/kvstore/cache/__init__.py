"""Tests of FieldDataCache and DjangoKeyValueStore: prefetching, scopes, unread fields."""
