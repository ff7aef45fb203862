"""Every version of learners' state, in a database of its own.

Read a write downwards: kvstore's signal -> ``recording`` -> ``direct`` (behind ``breaker`` and ``deadline``), which
writes ``entries``. Read a read: ``api`` -> ``timeline`` -> ``models``. After an outage: ``delivery``; for certainty:
``verification`` (``evidence`` of many rows, ``examination`` of one) and ``seals``. Import from :mod:`history.api`; the
rest may move.
"""
