"""Each learner's XBlock state, in the `default` database.

Read a write downwards: ``store`` (XBlock's KeyValueStore) -> ``prefetch`` (FieldDataCache) -> ``scopes``
(one cache for each kind of scope) -> ``client`` -> ``writing`` (the one write path, on ``rows`` and ``statements``) ->
``signals``, where ``history`` listens. Import from :mod:`kvstore.api`; the rest may move.
"""
