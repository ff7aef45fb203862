"""Versions of a StudentModule row, and the transactions and SQL that write them, without the model.

Imports only ``kvstore.keys`` and the modules below it; read ``versions`` (with ``digests``, ``context`` and ``codec``),
then ``rows``, ``sql``, ``record_sets``, ``transactions`` and ``instances``.
"""
