"""The Django app of the demo."""

from django.apps import AppConfig


class DemoConfig(AppConfig):
    """The demo host. It has no models; the store contains all state."""

    name = "demo"
    label = "demo"
    verbose_name = "Demo course"
