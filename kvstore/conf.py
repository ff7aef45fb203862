"""The settings of kvstore, read when they are used so that ``override_settings`` works."""

# ruff: noqa: N802  properties are named as the settings that they read, so that a search finds both

from django.conf import settings


class KVStoreSettings:
    """Typed access to the settings whose names begin with ``KVSTORE_``."""

    @property
    def KVSTORE_CHUNK_SIZE(self) -> int:
        """How many blocks one statement reads or writes at most."""
        return int(getattr(settings, "KVSTORE_CHUNK_SIZE", 500))

    @property
    def KVSTORE_BATCH_SIZE(self) -> int:
        """How many rows one page of a walk over a whole block or course loads."""
        return int(getattr(settings, "KVSTORE_BATCH_SIZE", 1000))

    @property
    def KVSTORE_WRITE_ATTEMPTS(self) -> int:
        """How often a write that lost a race or a deadlock is tried in all."""
        return int(getattr(settings, "KVSTORE_WRITE_ATTEMPTS", 8))


conf = KVStoreSettings()
