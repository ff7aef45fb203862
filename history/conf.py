"""The settings of history, read when they are used so that ``override_settings`` works."""

from collections.abc import Collection

from django.conf import settings

APP_LABEL = "xblock_history"
ALL_BLOCK_TYPES = "*"


class HistorySettings:
    """Typed access to the settings whose names begin with ``HISTORY_``."""

    @property
    def HISTORY_DATABASE_ALIAS(self) -> str:  # noqa: N802
        """The alias of the database that the entries are in; ``default`` for an installation with one database."""
        return str(getattr(settings, "HISTORY_DATABASE_ALIAS", "student_module_history"))

    @property
    def HISTORY_BLOCK_TYPES(self) -> Collection[str]:  # noqa: N802
        """The block types whose history is recorded; ``"*"``, alone or among them, is every type."""
        return getattr(settings, "HISTORY_BLOCK_TYPES", ("problem",))


conf = HistorySettings()


def is_recorded(block_type: str) -> bool:
    """Return whether versions of blocks of this type become entries."""
    types = conf.HISTORY_BLOCK_TYPES
    return ALL_BLOCK_TYPES in types or block_type in types
