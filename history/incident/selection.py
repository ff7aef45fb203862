"""The criteria that select the entries of an incident."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from opaque_keys.edx.keys import LearningContextKey, UsageKey

from history.exceptions import UnusableSelection
from kvstore.exceptions import UnusableContext, UnusableKey
from kvstore.keys import MAX_TYPE_LENGTH, block_address, checked_name, contains_course_key, text_from_key
from kvstore.signals import RESTORED, StateVersion
from kvstore.versioning.context import change_context

REPAIR_PREFIX = "repair-"
"""the beginning of the request id of every repair"""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Criteria of entries. An entry must meet all that are given. None, or an empty text, is no criterion.

    Raises UnusableSelection if neither an actor, a request id or a reason is given, nor both ``since`` and ``until``:
    such a selection would include the work of all learners, also of this moment.
    """

    course: LearningContextKey | None = None
    block: UsageKey | None = None
    block_type: str = ""
    actor_id: int | None = None
    """the id of the user who made the changes"""
    request_id: str = ""
    reason: str = ""
    """the recorded reason"""
    since: datetime | None = None
    """aware; included"""
    until: datetime | None = None
    """aware; not included"""

    def __post_init__(self) -> None:
        self._check_values()
        has_origin = self.actor_id is not None or self.request_id or self.reason
        if not has_origin and (self.since is None or self.until is None):
            raise UnusableSelection(
                _(
                    "The selection is too wide. Select by actor, request id or recorded reason, or give both the "
                    "beginning and the end of the incident."
                )
            )

    def _check_values(self) -> None:
        for moment in (self.since, self.until):
            if moment is not None and timezone.is_naive(moment) == settings.USE_TZ:
                raise UnusableSelection(
                    _("The time %(time)s needs a time zone exactly if USE_TZ is true.") % {"time": moment}
                )
        if self.since and self.until and self.since >= self.until:
            raise UnusableSelection(_("The beginning of the incident is not before its end."))
        try:
            if self.block_type:
                checked_name(self.block_type, "block type", MAX_TYPE_LENGTH)
            filters = self.filters
            if self.block is not None and contains_course_key(self.block):
                course = block_address(self.block).course_id
                if filters.get("course_id", course) != course:
                    raise UnusableSelection(_("The block is not in the course."))
            # Raises an error for a text or an id that no entry can have.
            with change_context(actor=self.actor_id, reason=self.reason, request_id=self.request_id):
                pass
        except (UnusableKey, UnusableContext) as error:
            raise UnusableSelection(str(error)) from error

    @property
    def filters(self) -> dict[str, Any]:
        """The values that columns of a selected entry have."""
        columns = {
            "course_id": None if self.course is None else text_from_key(self.course, LearningContextKey),
            "module_state_key": None if self.block is None else text_from_key(self.block, UsageKey),
            "module_type": self.block_type or None,
            "actor_id": self.actor_id,
            "request_id": self.request_id or None,
            "reason": self.reason or None,
        }
        return {name: value for name, value in columns.items() if value is not None}

    @property
    def period(self) -> dict[str, datetime]:
        """The lookups of the time."""
        lookups = {"created__gte": self.since, "created__lt": self.until}
        return {name: moment for name, moment in lookups.items() if moment is not None}

    def includes(self, entry: StateVersion) -> bool:
        """Return whether an entry meets the criteria.

        MySQL ignores case and trailing spaces of request ids and reasons; this does not. An entry that a repair wrote
        is selected by its request id only, so that the same selection never undoes its own repair.
        """
        if is_repair(entry) and not self.request_id:
            return False
        is_in_period = (self.since is None or entry.created >= self.since) and (
            self.until is None or entry.created < self.until
        )
        return is_in_period and all(getattr(entry, name) == value for name, value in self.filters.items())


def is_repair(entry: StateVersion) -> bool:
    """Return whether a repair wrote an entry."""
    return entry.action == RESTORED and entry.request_id.startswith(REPAIR_PREFIX)
