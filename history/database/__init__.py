"""Access to the history database with a time limit, a circuit breaker, and a check of the role's privileges.

May import ``history.models`` and what it imports. Read ``deadline``, ``connection``, ``circuit_breaker``,
``privileges``.
"""
