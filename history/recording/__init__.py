"""Records versions as entries: written ahead of the state, or pending and delivered later; erased if so configured.

May import ``history.database`` and ``history.models``, not ``reading`` or ``comparison``. Read ``receivers``,
``write_ahead``, ``pending``, ``delivery``, ``erasure``, ``health``.
"""
