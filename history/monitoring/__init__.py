"""Pages for monitoring programs: the health of the history as JSON and as OpenMetrics text.

Imports ``history.recording.health``. Read ``access``, ``openmetrics``, ``report``, ``views``.
"""
