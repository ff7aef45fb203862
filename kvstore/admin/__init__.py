"""Learners' state in Django's admin."""

from django.contrib import admin

from kvstore.admin.read_only import ReadOnlyAdmin
from kvstore.admin.rows import StudentModuleAdmin
from kvstore.models import StudentModule

__all__ = ["ReadOnlyAdmin", "StudentModuleAdmin"]

admin.site.register(StudentModule, StudentModuleAdmin)
