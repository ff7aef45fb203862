"""An admin site without the history."""

from django.contrib import admin
from django.urls import path

from kvstore.admin import StudentModuleAdmin
from kvstore.models import StudentModule

site = admin.AdminSite(name="plain")
site.register(StudentModule, StudentModuleAdmin)

urlpatterns = [path("plain/", site.urls), path("admin/", admin.site.urls)]
