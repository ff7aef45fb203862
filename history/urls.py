"""Pages for monitoring programs. Include them in a project: ``path("history/", include("history.urls"))``."""

from django.urls import path

from history.monitoring import views

app_name = "xblock_history"

urlpatterns = [
    path("health/", views.health, name="health"),
    path("metrics/", views.metrics_text, name="metrics"),
]
