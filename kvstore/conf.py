"""The settings of kvstore, read at each access so that ``override_settings`` works."""

# ruff: noqa: N802  a property has the name of its setting, so that a search finds both

from django.conf import settings

HISTORY_LABEL = "xblock_history"
"""label of the app that keeps the history; kvstore looks it up instead of importing it"""


class KVStoreSettings:
    """Typed access to the settings that begin with ``KVSTORE_``."""

    @property
    def KVSTORE_CHUNK_SIZE(self) -> int:
        """Maximum number of blocks in one statement."""
        return int(getattr(settings, "KVSTORE_CHUNK_SIZE", 500))


conf = KVStoreSettings()
