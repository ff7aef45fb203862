"""The history of learners' state in Django's admin."""

from django.contrib import admin

from history.admin.entries import PendingHistoryAdmin, StudentModuleHistoryAdmin
from history.models import PendingHistory, StudentModuleHistory

__all__ = ["PendingHistoryAdmin", "StudentModuleHistoryAdmin"]

admin.site.register(StudentModuleHistory, StudentModuleHistoryAdmin)
admin.site.register(PendingHistory, PendingHistoryAdmin)
