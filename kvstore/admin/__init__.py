"""Django's admin for learners' state: search, filters and read-only pages, paginated along indexes.

Imports kvstore.models, keys, staff and versioning. Read expressions, ordering, filters, search, changelist, then base.
"""

from django.contrib import admin

from kvstore.admin.base import ReadOnlyAdmin
from kvstore.admin.student_module import StudentModuleAdmin
from kvstore.models import StudentModule

__all__ = ["ReadOnlyAdmin", "StudentModuleAdmin"]

admin.site.register(StudentModule, StudentModuleAdmin)
