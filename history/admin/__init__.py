"""The history of learners' state in Django's admin."""

from django.contrib import admin

from history.admin.entries import PendingHistoryAdmin, StudentModuleHistoryAdmin
from history.admin.state import RecordedStudentModuleAdmin
from history.models import PendingHistory, StudentModuleHistory
from kvstore.admin import StudentModuleAdmin
from kvstore.models import StudentModule

__all__ = ["PendingHistoryAdmin", "RecordedStudentModuleAdmin", "StudentModuleHistoryAdmin"]

admin.site.register(StudentModuleHistory, StudentModuleHistoryAdmin)
admin.site.register(PendingHistory, PendingHistoryAdmin)
# A project that registered an admin of its own for the state, before this module was imported, keeps it.
if type(admin.site._registry.get(StudentModule)) is StudentModuleAdmin:
    admin.site.unregister(StudentModule)
    admin.site.register(StudentModule, RecordedStudentModuleAdmin)
