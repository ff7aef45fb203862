"""Django's admin for the history: lists of entries, in ``block`` the pages about one block of a learner, and in
``incident`` the page that repairs many rows.

Imports every other package of history except management, and kvstore.admin. Read permissions, entries, then state.
"""

from django.contrib import admin

from history.admin.entries import PendingHistoryAdmin, StudentModuleHistoryAdmin
from history.admin.state import RecordedStudentModuleAdmin
from history.models import PendingHistory, StudentModuleHistory
from kvstore.admin import StudentModuleAdmin
from kvstore.models import StudentModule

__all__ = ["PendingHistoryAdmin", "RecordedStudentModuleAdmin", "StudentModuleHistoryAdmin"]

admin.site.register(StudentModuleHistory, StudentModuleHistoryAdmin)
admin.site.register(PendingHistory, PendingHistoryAdmin)
# Keep an admin that a project registered for the state before this module was imported.
if type(admin.site._registry.get(StudentModule)) is StudentModuleAdmin:
    admin.site.unregister(StudentModule)
    admin.site.register(StudentModule, RecordedStudentModuleAdmin)
