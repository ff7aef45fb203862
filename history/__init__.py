"""Records every version of learners' state in a database of its own, and reads, compares, verifies and restores it.

It may import ``kvstore``. Read ``models``, then the packages ``database``, ``recording``, ``reading``, ``comparison``,
``verification`` and ``recovery``, then ``api``. A package imports only those before it; ``recording``, ``reading`` and
``comparison`` do not import each other, nor do ``verification`` and ``recovery``.
"""
