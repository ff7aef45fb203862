"""The client passes every test of edx-user-state-client's suite; none is skipped or overridden."""

import edx_user_state_client.tests as suite
from django.test import TestCase

from kvstore.api import DjangoXBlockUserStateClient
from kvstore.testing import UserFactory


# The suite is named through its module: importing its base class by name would run the base as well.
class ClientConformance(suite.UserStateClientTestBase, TestCase):
    __test__ = True
    # Everything rolls back on both aliases; no test here needs a commit.
    databases = {"default", "student_module_history"}

    @classmethod
    def setUpTestData(cls):
        for number in range(5):
            UserFactory(username=cls._user(number))

    def setUp(self):
        super().setUp()
        # The suite's client, in place of Django's client for pages.
        self.client = DjangoXBlockUserStateClient()

    @staticmethod
    def _block_type(block):
        # History is kept for problems.
        return "problem"
