"""Compares versions without a database: the difference of two states, flags for suspicious changes, and a chart.

May import ``history.models``, not ``database``, ``recording`` or ``reading``. Read ``formatting``, ``json_diff``,
``diff``, ``flags``, ``chart_events``, ``chart``.
"""
