"""Django's admin for the history: lists of entries, in ``block`` the pages about one block of a learner, and in
``incident`` the page that repairs many rows.

Imports every other package of history except management, and kvstore.admin. Read permissions, entries, then state.
"""

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.admin import UserAdmin

from history.admin.entries import PendingHistoryAdmin, StudentModuleHistoryAdmin
from history.admin.learner.user_link import LearnerLinkMixin
from history.admin.state import RecordedStudentModuleAdmin
from history.models import PendingHistory, StudentModuleHistory
from kvstore.admin import StudentModuleAdmin
from kvstore.models import StudentModule

__all__ = [
    "LearnerLinkMixin",
    "LinkedUserAdmin",
    "PendingHistoryAdmin",
    "RecordedStudentModuleAdmin",
    "StudentModuleHistoryAdmin",
]


# UserAdmin takes a type parameter only in the type checker's stubs.
class LinkedUserAdmin(LearnerLinkMixin, UserAdmin):  # type: ignore[type-arg]  # a parameter of the stubs only
    """Django's admin of users, with the link to the learner's page."""


admin.site.register(StudentModuleHistory, StudentModuleHistoryAdmin)
admin.site.register(PendingHistory, PendingHistoryAdmin)
# Keep an admin that a project registered for the state before this module was imported.
if type(admin.site._registry.get(StudentModule)) is StudentModuleAdmin:
    admin.site.unregister(StudentModule)
    admin.site.register(StudentModule, RecordedStudentModuleAdmin)
# Likewise for users.
if type(admin.site._registry.get(get_user_model())) is UserAdmin:
    admin.site.unregister(get_user_model())
    admin.site.register(get_user_model(), LinkedUserAdmin)
