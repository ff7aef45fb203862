"""A signed-in member of staff, and rows and entries for the lists."""

import hashlib

from django.urls import reverse

from kvstore.api import DjangoXBlockUserStateClient
from kvstore.testing import UserFactory
from kvstore.versioning.digests import FORMAT

ALIAS = "student_module_history"
STATE_LIST = reverse("admin:xblock_kvstore_studentmodule_changelist")
PENDING_LIST = reverse("admin:xblock_history_pendinghistory_changelist")
HISTORY_LIST = reverse("admin:xblock_history_studentmodulehistory_changelist")


def digest(row_id, version):
    """Return a made-up digest of a version, the same each time; None for the version before the first."""
    return bytes([FORMAT]) + hashlib.sha256(f"{row_id}.{version}".encode()).digest() if version else None


def chained(row_id, version):
    """Return the columns of a made-up entry that place it in the chain of its row."""
    return {
        "student_module_id": row_id,
        "version": version,
        "previous": digest(row_id, version - 1),
        "digest": digest(row_id, version),
    }


class Lists:
    """Asks for lists as a superuser, and writes learners' state."""

    databases = {"default", ALIAS}

    def sign_in(self):
        self.client.force_login(UserFactory(username="staff", is_staff=True, is_superuser=True))

    def page(self, url, **query):
        response = self.client.get(url, {name: str(value) for name, value in query.items()})
        self.assertEqual(response.status_code, 200, response.headers.get("Location"))
        return response

    def changelist(self, url, **query):
        return self.page(url, **query).context["cl"]

    def found(self, url, **query):
        return list(self.changelist(url, **query).result_list)

    def set(self, name, key, **fields):
        DjangoXBlockUserStateClient().set(name, key, fields or {"answer": "a"})
