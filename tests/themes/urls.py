"""The addresses of the project, and those that a theme requires."""

from django.apps import apps
from django.urls import include, path

from config.urls import urlpatterns as project

urlpatterns = [*project]
if apps.is_installed("grappelli"):
    urlpatterns += [path("grappelli/", include("grappelli.urls"))]
