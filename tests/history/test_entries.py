"""A version has the columns of both tables of entries."""

from django.test import SimpleTestCase

from history.models import PendingHistory, StudentModuleHistory
from kvstore.signals import StateVersion


class Columns(SimpleTestCase):
    def test_they_match_the_columns_of_both_models(self):
        for model in (StudentModuleHistory, PendingHistory):
            columns = [field.attname for field in model._meta.concrete_fields if not field.primary_key]
            self.assertEqual(list(StateVersion._fields), columns)
