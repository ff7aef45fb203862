"""Reads committed entries: the timeline of a block, one version, the missing versions, and entries of many rows.

May import ``history.database`` and ``history.models``, not ``recording`` or ``comparison``. Read ``chain``, ``paging``,
``timeline``, ``ownership``, ``outline``, ``completeness``, ``committed``, ``scan``.
"""
