"""A second admin site."""

from django.contrib import admin
from django.urls import path

from history.admin import PendingHistoryAdmin, StudentModuleHistoryAdmin
from history.models import PendingHistory, StudentModuleHistory
from kvstore.admin import StudentModuleAdmin
from kvstore.models import StudentModule

site = admin.AdminSite(name="staff")
site.register(StudentModule, StudentModuleAdmin)
site.register(StudentModuleHistory, StudentModuleHistoryAdmin)
site.register(PendingHistory, PendingHistoryAdmin)

urlpatterns = [path("staff/", site.urls), path("admin/", admin.site.urls)]
