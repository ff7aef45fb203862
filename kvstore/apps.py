from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class KVStoreConfig(AppConfig):
    name = "kvstore"
    # Tables are named after the label. A label of its own does not collide with that of another app.
    label = "xblock_kvstore"
    verbose_name = _("Learners' state")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from kvstore import checks
        from kvstore.storage import receivers

        checks.register()
        receivers.connect()
