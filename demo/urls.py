"""Addresses of the demo host. Page scripts and blocks get addresses from the server and do not build them."""

from django.urls import include, path

from demo import views
from demo.cases.guide import cases
from demo.health import health

urlpatterns = [
    path("", views.courseware, name="courseware"),
    path("cases/", cases, name="cases"),
    path("health/", health, name="health"),
    path("history/", include("history.urls")),
    path("conformance/<slug:suite>/", views.conformance, name="conformance"),
    path("handlers/<str:usage_key>/<str:name>/", views.handler, name="handler"),
    path("handlers/<str:usage_key>/<str:name>/<path:suffix>", views.handler, name="handler"),
    path("resources/<str:family>/<str:block_type>/<path:uri>", views.resource, name="resource"),
]
