"""The settings of history. Each access reads the setting again, so ``override_settings`` works."""

# ruff: noqa: N802  the properties have the names of their settings, so that a search finds both

from collections.abc import Collection, Mapping

from django.conf import settings

APP_LABEL = "xblock_history"
ALL_BLOCK_TYPES = "*"


class HistorySettings:
    """Typed access to the settings with the prefix ``HISTORY_``."""

    @property
    def HISTORY_DATABASE_ALIAS(self) -> str:
        """The alias of the history database; ``default`` to keep state and history in one database."""
        return str(getattr(settings, "HISTORY_DATABASE_ALIAS", "student_module_history"))

    @property
    def HISTORY_BLOCK_TYPES(self) -> Collection[str]:
        """The block types to record; ``"*"``, or a collection that contains it, records all types."""
        return getattr(settings, "HISTORY_BLOCK_TYPES", ("problem",))

    @property
    def HISTORY_TIMEOUT(self) -> float:
        """The seconds that a write waits for the history database, including the connection."""
        return float(getattr(settings, "HISTORY_TIMEOUT", 2))

    @property
    def HISTORY_RETRY_AFTER(self) -> float:
        """The seconds after a failure of the history database until one write tries it again."""
        return float(getattr(settings, "HISTORY_RETRY_AFTER", 30))

    @property
    def HISTORY_ON_DELETE(self) -> str:
        """Whether to "keep" or "erase" the entries of a deleted row."""
        return str(getattr(settings, "HISTORY_ON_DELETE", "keep"))

    @property
    def HISTORY_PENDING_MAX_AGE(self) -> float:
        """The age in seconds from which a pending entry is overdue."""
        return float(getattr(settings, "HISTORY_PENDING_MAX_AGE", 3600))

    @property
    def HISTORY_REQUEST_ID_HEADER(self) -> str | None:
        """The request header that contains the request id; None to generate the id of each request."""
        return getattr(settings, "HISTORY_REQUEST_ID_HEADER", None)

    @property
    def HISTORY_ANSWER_FORMATTERS(self) -> Mapping[str, str]:
        """The dotted path of a function for a block type, which returns the learner's answer as text."""
        return getattr(settings, "HISTORY_ANSWER_FORMATTERS", {})

    @property
    def HISTORY_LOG_VIEWS(self) -> bool:
        """Whether to log each view and each export of a learner's state in the admin."""
        return bool(getattr(settings, "HISTORY_LOG_VIEWS", False))

    @property
    def HISTORY_MONITORING_TOKEN(self) -> str | None:
        """The bearer token of monitoring programs; None to answer staff users only."""
        return getattr(settings, "HISTORY_MONITORING_TOKEN", None)


conf = HistorySettings()


def is_recorded(block_type: str) -> bool:
    types = conf.HISTORY_BLOCK_TYPES
    return ALL_BLOCK_TYPES in types or block_type in types
