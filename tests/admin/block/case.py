"""A learner, a block, and a signed-in member of staff."""

from unittest import mock

from django.test import TestCase
from django.urls import reverse

from kvstore.api import DjangoXBlockUserStateClient
from kvstore.models import StudentModule
from kvstore.testing import UserFactory
from tests.kvstore.cache.blocks import usage

BLOCK = usage("block")
HISTORY = "student_module_history"


def page(name, row_id, *args, **query):
    """Return the address of a page of a block."""
    url = reverse(f"admin:xblock_history_{name}", args=[row_id, *args])
    return f"{url}?{'&'.join(f'{key}={value}' for key, value in query.items())}" if query else url


def pending():
    """Leave the entries of writes inside pending."""
    return mock.patch("history.recording.receivers.try_entries", return_value=False)


class PagesTestCase(TestCase):
    databases = {"default", HISTORY}

    @classmethod
    def setUpTestData(cls):
        cls.staff = UserFactory(username="staff", is_staff=True, is_superuser=True)
        cls.learner = UserFactory(username="amara")

    def setUp(self):
        self.client.force_login(self.staff)

    def set(self, **fields):
        DjangoXBlockUserStateClient(self.learner).set("amara", BLOCK, fields)
        return self.row()

    def row(self):
        return StudentModule.objects.get(student=self.learner, module_state_key=BLOCK)

    def get(self, url, status=200):
        response = self.client.get(url)
        self.assertEqual(response.status_code, status, url)
        return response

    def steps(self, row, **query):
        return self.get(page("timeline", row.pk, **query)).context["steps"]
