"""The app that Django loads."""

from django.apps import AppConfig


class DemoConfig(AppConfig):
    """The demo host: no models of its own, all state is in the store."""

    name = "demo"
    label = "demo"
    verbose_name = "Demo course"
