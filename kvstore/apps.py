from django.apps import AppConfig


class KVStoreConfig(AppConfig):
    name = "kvstore"
    # Tables are named after the label. A label of its own does not collide with that of another app.
    label = "xblock_kvstore"
    verbose_name = "Learners' state"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from kvstore import checks
        from kvstore.storage import receivers

        checks.register()
        receivers.connect()
