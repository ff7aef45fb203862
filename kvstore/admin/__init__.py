"""Learners' state in Django's admin."""

from django.contrib import admin

from kvstore.admin.base import ReadOnlyAdmin
from kvstore.admin.student_module import StudentModuleAdmin
from kvstore.models import StudentModule

__all__ = ["ReadOnlyAdmin", "StudentModuleAdmin"]

admin.site.register(StudentModule, StudentModuleAdmin)
