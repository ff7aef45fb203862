"""Compares versions without a database: the difference of two states, flags for suspicious changes, and a chart.

May import ``history.models``, not ``database``, ``recording`` or ``reading``. Read ``formatting``, ``json_diff``,
``diff``, ``flags``; ``alignment``, ``words``, ``characters``, ``displayed``, ``side_by_side``; ``chart_events``,
``chart``.
"""
