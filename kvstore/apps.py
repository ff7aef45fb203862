from django.apps import AppConfig


class KVStoreConfig(AppConfig):
    name = "kvstore"
    # Unlike the bare name, the label will not meet another app's: tables are named after it for good.
    label = "xblock_kvstore"
    verbose_name = "Learners' state"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from kvstore import checks
        from kvstore.storage import receivers

        checks.register()
        receivers.connect()
