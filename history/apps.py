from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from kvstore.keys import BlockAddress


class HistoryConfig(AppConfig):
    name = "history"
    label = "xblock_history"
    verbose_name = _("History of learners' state")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from history import checks
        from history.recording import receivers

        checks.register()
        receivers.connect()

    def parsed_versions(
        self, learner: Mapping[str, Any], address: BlockAddress
    ) -> Iterator[tuple[dict[str, Any], datetime]]:
        """Yield the fields and the time of every version of a block's state, newest first.

        kvstore's client calls this method through the app registry, so kvstore does not import history.
        """
        from history.reading.timeline import parsed_versions

        return parsed_versions(learner, address)
