"""Permissions of the history's admins."""

from typing import Any, ClassVar

from django.http import HttpRequest

from kvstore.admin.base import ReadOnlyAdmin


class HistoryAdmin(ReadOnlyAdmin):
    """Adds the permissions to restore, to export and to repair incidents.

    To restrict staff to some courses, override the ``has_..._permission`` methods: ``obj`` is None for the
    permission in general, and otherwise has a ``course_id``.
    """

    required_permissions: ClassVar[dict[str, tuple[str, ...]]] = {
        "has_restore_permission": ("xblock_kvstore.change_studentmodule", "xblock_history.restore_studentmodule"),
        "has_export_permission": ("xblock_history.export_studentmodulehistory",),
        "has_incident_permission": ("xblock_kvstore.change_studentmodule", "xblock_history.repair_incident"),
    }

    def has_restore_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the user may restore versions, which also requires to view history and to change state."""
        may_write = request.user.has_perms(self.required_permissions["has_restore_permission"])
        return may_write and self.has_view_permission(request, obj)

    def has_export_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the user may export entries, which also requires to view them."""
        may_export = request.user.has_perms(self.required_permissions["has_export_permission"])
        return may_export and self.has_view_permission(request, obj)

    def has_incident_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the user may repair incidents, which also requires to view history and to change state."""
        may_repair = request.user.has_perms(self.required_permissions["has_incident_permission"])
        return may_repair and self.has_view_permission(request, obj)
