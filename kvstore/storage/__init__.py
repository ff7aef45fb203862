"""Reads and writes of stored state as plain values, in chunks of blocks.

Imports ``kvstore.models`` and the modules below it; read ``writing`` and ``changes``, ``reading``, ``field_rows``, then
the rest.
"""
