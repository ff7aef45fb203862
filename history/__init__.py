"""Every version of learners' state, in a database of its own.

Read a write downwards: kvstore's signal -> ``recording`` -> ``models``. Read a read: ``api`` -> ``timeline`` ->
``models``. Import from :mod:`history.api`; the rest may move.
"""
