"""Stores learners' XBlock state in the `default` database. Imports nothing of ``history``; programs import
:mod:`kvstore.api`, and a write is read in the order ``store``, ``cache``, ``storage``, ``versioning``, ``signals``."""
