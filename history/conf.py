"""The settings of history, read when they are used so that ``override_settings`` works."""

# ruff: noqa: N802  properties are named as the settings that they read, so that a search finds both

from collections.abc import Collection

from django.conf import settings

APP_LABEL = "xblock_history"
ALL_BLOCK_TYPES = "*"


class HistorySettings:
    """Typed access to the settings whose names begin with ``HISTORY_``."""

    @property
    def HISTORY_DATABASE_ALIAS(self) -> str:
        """The alias of the database that the entries are in; ``default`` for an installation with one database."""
        return str(getattr(settings, "HISTORY_DATABASE_ALIAS", "student_module_history"))

    @property
    def HISTORY_BLOCK_TYPES(self) -> Collection[str]:
        """The block types whose history is recorded; ``"*"``, alone or among them, is every type."""
        return getattr(settings, "HISTORY_BLOCK_TYPES", ("problem",))

    @property
    def HISTORY_TIMEOUT(self) -> float:
        """How long a write waits for the history database, connecting included, in seconds."""
        return float(getattr(settings, "HISTORY_TIMEOUT", 2))

    @property
    def HISTORY_RETRY_AFTER(self) -> float:
        """How long a history database that failed is left alone before one write tries it again, in seconds."""
        return float(getattr(settings, "HISTORY_RETRY_AFTER", 30))

    @property
    def HISTORY_ON_DELETE(self) -> str:
        """What becomes of the entries of a row that is deleted: "keep" or "erase"."""
        return str(getattr(settings, "HISTORY_ON_DELETE", "keep"))

    @property
    def HISTORY_PENDING_MAX_AGE(self) -> float:
        """From what age on an entry that waits for delivery is a problem, in seconds."""
        return float(getattr(settings, "HISTORY_PENDING_MAX_AGE", 3600))

    @property
    def HISTORY_REQUEST_ID_HEADER(self) -> str | None:
        """The request header whose value becomes the request id; with None, each request gets a generated id."""
        return getattr(settings, "HISTORY_REQUEST_ID_HEADER", None)


conf = HistorySettings()


def is_recorded(block_type: str) -> bool:
    """Return whether versions of blocks of this type become entries."""
    types = conf.HISTORY_BLOCK_TYPES
    return ALL_BLOCK_TYPES in types or block_type in types
